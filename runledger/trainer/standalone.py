"""A `Context` without a tracker, to try a recipe: facts go into lists, files into a folder.

What an attempt refuses is refused here, so that a recipe that passes its tests is not refused later.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time as clock
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from runledger.tracker.events.base import Score
from runledger.trainer import scorers as included
from runledger.trainer.artifacts import check_path, keep_image, keep_table
from runledger.trainer.errors import MisusedContext, ScorerNotHere
from runledger.trainer.plain import check_not_before, plain_metrics, plain_score, real_or_none, text, whole
from runledger.trainer.recipe import Benchmark
from runledger.trainer.scoring import Answer, Scorer, score_answers

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Point(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    step: int
    time: int
    value: float


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    step: int
    folder: Path
    loss: float | None


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    step: int
    benchmark_id: str
    scores: tuple[Score, ...]
    predictions: Path


class StandaloneContext:
    """One attempt whose facts stay in this process; checkpoints and artifacts are copied below `folder`."""

    def __init__(
        self,
        folder: Path,
        *,
        datasets: Mapping[str, Path],
        benchmarks: Sequence[Benchmark] = (),
        scorers: Sequence[Scorer] = (),
        checkpoint_folder: Path | None = None,
        attempt: int = 1,
        stop_after: int | None = None,
        saved_step: int | None = None,
    ) -> None:
        """`scorers` are those beside `exact_match` and `numeric`. `stop_after` asks for a stop once a
        point of that step, or of a later one, was logged. No checkpoint may lie before `saved_step`."""
        self.folder = folder / "scratch"
        self.folder.mkdir(parents=True)
        self.attempt = attempt
        self.checkpoint_folder = checkpoint_folder
        self.points: list[Point] = []
        self.checkpoints: list[Saved] = []
        self.evaluations: list[Evaluated] = []
        self.artifacts: dict[str, Path] = {}
        self.fields: dict[str, str] = {}
        self.phases: list[tuple[str, int | None, int | None]] = []
        self.metrics: dict[str, float] = {}
        """What the recipe returned, once it has."""
        self.has_recorded = False
        """Something was told; what else changes a result cannot be told any more."""
        self._unsaved: list[Evaluated] = []
        self._saved_step = saved_step
        self._kept = folder
        self._datasets = dict(datasets)
        self._benchmarks = {benchmark.benchmark_id: benchmark for benchmark in benchmarks}
        known = (included.exact_match, included.numeric, *scorers)
        self._scorers = {(scorer.name, scorer.version): scorer for scorer in known}
        self._stop_after = math.inf if stop_after is None else stop_after
        self._furthest = -math.inf

    def dataset(self, digest: str) -> Path:
        try:
            return self._datasets[digest]
        except KeyError:
            raise MisusedContext(f"the spec names no dataset {digest!r}") from None

    def benchmark(self, benchmark_id: str) -> Benchmark:
        try:
            return self._benchmarks[benchmark_id]
        except KeyError:
            raise MisusedContext(f"the spec names no benchmark {benchmark_id!r}") from None

    def log(self, metrics: Mapping[str, float], *, step: int, time: int | None = None) -> None:
        values, at_step = plain_metrics(metrics), whole("step", step)
        at = clock.time_ns() // 1000 if time is None else whole("time", time)
        self.has_recorded = True
        self.points += [Point(key=key, step=at_step, time=at, value=value) for key, value in values.items()]
        self._furthest = max(self._furthest, at_step)

    def checkpoint(self, step: int, save: Callable[[Path], None], *, loss: float | None = None) -> None:
        if any(found.step != step for found in self._unsaved):
            raise MisusedContext(f"evaluations of another step than {step} wait for a checkpoint")
        at_step, lost = whole("step", step), real_or_none("loss", loss)
        check_not_before(at_step, self.checkpoints[-1].step if self.checkpoints else self._saved_step)
        self.has_recorded = True
        folder = self._kept / "checkpoints" / str(at_step)
        folder.parent.mkdir(exist_ok=True)
        saving = Path(tempfile.mkdtemp(dir=folder.parent, prefix="saving-"))
        try:
            save(saving)
            shutil.rmtree(folder, ignore_errors=True)
            saving.rename(folder)
        finally:
            shutil.rmtree(saving, ignore_errors=True)
        self._unsaved.clear()
        self.checkpoints.append(Saved(step=at_step, folder=folder, loss=lost))

    def evaluated(self, step: int, benchmark_id: str, scores: Sequence[Score], predictions: Path) -> None:
        self.benchmark(benchmark_id)
        told = Evaluated(
            step=whole("step", step),
            benchmark_id=benchmark_id,
            scores=tuple(map(plain_score, scores)),
            predictions=Path(predictions),
        )
        told.predictions.stat()
        self.has_recorded = True
        self.evaluations.append(told)
        self._unsaved.append(told)

    def scorer(self, benchmark_id: str) -> Scorer:
        benchmark = self.benchmark(benchmark_id)
        named = (benchmark.scorer, benchmark.scorer_version)
        if named not in self._scorers:
            raise ScorerNotHere(*named)
        return self._scorers[named]

    def evaluate(self, step: int, benchmark_id: str, answers: Iterable[Answer]) -> tuple[Score, ...]:
        file = self.folder / f"predictions-{benchmark_id}-{step}.jsonl"
        scores = score_answers(self.scorer(benchmark_id), answers, file)
        self.evaluated(step, benchmark_id, scores, file)
        return scores

    def artifact(self, file: Path, path: str, *, media_type: str = "application/octet-stream") -> None:
        check_path(path)
        text("media_type", media_type)
        self.has_recorded = True
        kept = self._kept / "artifacts" / path
        kept.parent.mkdir(parents=True, exist_ok=True)
        self.artifacts[path] = Path(shutil.copyfile(file, kept))

    def image(self, path: str, pixels: NDArray[Any]) -> None:
        keep_image(self, path, pixels)

    def table(self, path: str, rows: Iterable[Mapping[str, Any] | msgspec.Struct]) -> None:
        keep_table(self, path, rows)

    def environment(self, **fields: str) -> None:
        if self.has_recorded:
            raise MisusedContext("the environment is recorded before the first thing that is logged")
        self.fields |= {name: text(name, value) for name, value in fields.items()}

    def progress(self, phase: str, done: int | None = None, total: int | None = None) -> None:
        counted, of = (
            None if count is None else whole(name, count)
            for name, count in (("done", done), ("total", total))
        )
        self.phases.append((text("phase", phase), counted, of))

    def should_stop(self) -> bool:
        return self._furthest >= self._stop_after

    def check_all_saved(self) -> None:
        """Raises `MisusedContext` if evaluations were told whose checkpoint never came."""
        if self._unsaved:
            raise MisusedContext(f"no checkpoint of step {self._unsaved[0].step} followed its evaluation")

    def series(self, key: str) -> list[tuple[int, float]]:
        """(step, value) of the points of a metric, in the order in which they were logged."""
        return [(point.step, point.value) for point in self.points if point.key == key]
