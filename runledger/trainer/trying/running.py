"""One attempt of a rehearsal, from the recipe's call to the summary of what it has left."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from runledger.tracker.events.base import Score
from runledger.tracker.failures import failed
from runledger.trainer.plain import final_metrics
from runledger.trainer.recipe import Recipe
from runledger.trainer.rows import spelled
from runledger.trainer.trying import settled
from runledger.trainer.trying.context import RehearsalContext, in_words
from runledger.trainer.trying.settled import Settled
from runledger.trainer.trying.view import View

Outcome = Literal["completed", "stopped", "failed", "interrupted"]
"""`interrupted` is a second Ctrl-C: what the step under way has not told is lost."""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    step: int
    scores: tuple[Score, ...]
    predictions: str


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended and what it has left, in memory and in the folder."""

    recipe: str
    outcome: Outcome
    folder: str
    attempt: int
    step: int | None
    seconds: float
    metrics: dict[str, float | str]
    evaluations: tuple[Evaluation, ...] = ()
    checkpoints: tuple[str, ...] = ()
    artifacts: dict[str, str] = {}
    error: str | None = None

    def lines(self) -> list[str]:
        """In words, for people."""
        where = "" if self.step is None else f" at step {self.step}"
        told = [("folder", self.folder)]
        told += [(key, f"{float(value):.4g}") for key, value in self.metrics.items()]
        for found in self.evaluations[-1:]:
            told += [("score", in_words(score)) for score in found.scores]
            told += [("predictions", found.predictions)]
        told += [("checkpoint", path) for path in self.checkpoints[-1:]]
        told += [("artifact", path) for path in self.artifacts.values()]
        if self.error is not None:
            told += [("error", self.error)]
        width = max(len(name) for name, _ in told)
        lines = [f"{self.outcome}{where} in {self.seconds:.1f} s"]
        lines += [f"  {name:<{width}}  {value}" for name, value in told]
        if self.outcome != "completed" and self.checkpoints:
            lines += [f"go on with: runledger try --resume {self.folder}"]
        return lines


def run(plan: Settled, recipe: Recipe[Any], folder: Path, view: View, stop: threading.Event) -> Summary:
    """The next attempt of the rehearsal. Whatever the recipe raises is the outcome."""
    root = folder.absolute()  # the recipe may change to another folder
    datasets = {path.stem: path for path in (root / "datasets").glob("*.jsonl")}
    number = len(settled.attempts(root)) + 1
    context = RehearsalContext(
        root / str(number),
        view,
        stop,
        datasets=datasets,
        benchmarks=[each.as_benchmark(datasets[each.dataset]) for each in plan.benchmarks],
        scorers=plan.scorers(),
        checkpoint_folder=settled.last_checkpoint(root),
        attempt=number,
    )
    began = time.perf_counter()
    metrics: Mapping[str, float] = {}
    outcome: Outcome = "completed"
    error: str | None = None
    try:
        metrics = final_metrics(recipe.train(msgspec.convert(plan.values, recipe.spec), context))
        context.check_all_saved()
        outcome = "stopped" if context.was_told else "completed"
    except KeyboardInterrupt:
        outcome = "interrupted"
    except (Exception, SystemExit) as problem:  # noqa: BLE001 — how it ended is the result
        traceback.print_exc()
        ended = failed(problem, context.last_step)
        outcome, error = "failed", f"{ended.error_class}: {ended.message}"
    finally:
        context.close()
    seconds = time.perf_counter() - began
    return _summary(plan, (folder, root), context, metrics, (outcome, error), seconds)


def _summary(
    plan: Settled,
    places: tuple[Path, Path],
    context: RehearsalContext,
    metrics: Mapping[str, float],
    ended: tuple[Outcome, str | None],
    seconds: float,
) -> Summary:
    """`places`: the folder as it was named, and where that is."""
    outcome, error = ended
    folder, root = places

    def shown(path: Path) -> str:
        return str(folder / path.relative_to(root)) if path.is_relative_to(root) else str(path)

    return Summary(
        recipe=plan.recipe,
        outcome=outcome,
        folder=str(folder),
        attempt=context.attempt,
        step=context.last_step,
        seconds=round(seconds, 3),
        metrics={key: spelled(value) for key, value in metrics.items()},
        evaluations=tuple(
            Evaluation(step=each.step, scores=each.scores, predictions=shown(each.predictions))
            for each in context.evaluations
        ),
        checkpoints=tuple(shown(saved.folder) for saved in context.checkpoints),
        artifacts={path: shown(kept) for path, kept in context.artifacts.items()},
        error=error,
    )
