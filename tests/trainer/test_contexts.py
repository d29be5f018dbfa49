"""What a recipe may ask is the same everywhere: in an attempt, and where there is no tracker."""

from __future__ import annotations

import inspect
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runledger.tracker.datasets import Trace
from runledger.tracker.events.base import Score
from runledger.tracker.journal_writer import Journal
from runledger.trainer.attempt.context import AttemptContext
from runledger.trainer.attempt.control import Control
from runledger.trainer.attempt.job import BenchmarkFile, Folder, Job
from runledger.trainer.errors import MisusedContext, ScorerNotHere
from runledger.trainer.recipe import Benchmark, Context
from runledger.trainer.scorers import exact_match
from runledger.trainer.scoring import Answer, Scorer
from runledger.trainer.standalone import StandaloneContext
from runledger.trainer.trying.context import RehearsalContext
from runledger.trainer.trying.view import view_on

ASKED = [name for name in vars(Context) if not name.startswith("_")]
ITEMS = '{"id":"a","prompt":"1+1=","answer":"2"}\n{"id":"b","prompt":"1+2=","answer":"3"}\n'


def signature(kind: type, name: str) -> str:
    return str(inspect.signature(getattr(kind, name)))


@pytest.mark.parametrize("name", ASKED)
def test_every_context_has_what_recipes_ask_for(name: str) -> None:
    if isinstance(getattr(Context, name), property):
        assert isinstance(getattr(AttemptContext, name), property)
        assert name in inspect.getsource(StandaloneContext.__init__)
        return
    assert signature(AttemptContext, name) == signature(Context, name)
    assert signature(StandaloneContext, name) == signature(Context, name)


def test_an_attempt_offers_recipes_nothing_that_a_trial_has_not() -> None:
    for_the_shell = {"check_all_saved", "record_environment"}
    assert {name for name in vars(AttemptContext) if not name.startswith("_")} == {*ASKED, *for_the_shell}


def benchmark(folder: Path, scorer: str = "exact_match", version: int = 1) -> Benchmark:
    path = folder / "items.jsonl"
    path.write_text(ITEMS)
    return Benchmark(benchmark_id="b", dataset="d", path=path, scorer=scorer, scorer_version=version)


def test_a_benchmark_gives_its_items(tmp_path: Path) -> None:
    assert benchmark(tmp_path).items() == [
        Trace(id="a", prompt="1+1=", answer="2"),
        Trace(id="b", prompt="1+2=", answer="3"),
    ]


def test_a_recipe_evaluates_in_one_call(tmp_path: Path) -> None:
    context = StandaloneContext(tmp_path / "kept", datasets={}, benchmarks=[benchmark(tmp_path)])
    answers = [
        Answer(item_id=item.id, expected=item.answer, prediction="2")
        for item in context.benchmark("b").items()
        if isinstance(item, Trace)
    ]
    (score,) = context.evaluate(3, "b", answers)
    assert (score.name, score.value, score.count) == ("exact_match", 0.5, 2)
    (told,) = context.evaluations
    assert (told.step, told.scores) == (3, (score,))
    assert told.predictions.read_text().count("\n") == 2


def test_scorers_are_those_that_were_given_and_the_included_ones(tmp_path: Path) -> None:
    mine = Scorer(name="mine", version=2, score=lambda expected, found: 0.5)
    of_mine = benchmark(tmp_path, "mine", 2)
    with_it = StandaloneContext(tmp_path / "1", datasets={}, benchmarks=[of_mine], scorers=[mine])
    assert with_it.scorer("b") is mine
    with pytest.raises(ScorerNotHere, match="scorer 'mine' version 2"):
        StandaloneContext(tmp_path / "2", datasets={}, benchmarks=[of_mine]).scorer("b")
    included = StandaloneContext(tmp_path / "3", datasets={}, benchmarks=[benchmark(tmp_path)])
    assert included.scorer("b") is exact_match


@pytest.fixture(params=["attempt", "standalone", "rehearsal"])
def context(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Context]:
    """Each kind that a recipe may meet, with the benchmark `b`."""
    named = benchmark(tmp_path)
    if request.param == "standalone":
        yield StandaloneContext(tmp_path / "kept", datasets={}, benchmarks=[named])
    elif request.param == "rehearsal":
        rehearsal = RehearsalContext(
            tmp_path / "kept",
            view_on(io.StringIO()),
            threading.Event(),
            datasets={},
            benchmarks=[named],
            scorers=[],
            checkpoint_folder=None,
            attempt=1,
        )
        yield rehearsal
        rehearsal.close()
    else:
        file = BenchmarkFile(benchmark_id="b", dataset="d", path="", scorer="exact_match", scorer_version=1)
        with attempt(tmp_path / "attempt", benchmarks=(file,)) as made:
            yield made


@contextmanager
def attempt(path: Path, **fields: Any) -> Iterator[AttemptContext]:
    folder = Folder(path)
    path.mkdir()
    job = Job(run_id="5f" * 16, attempt=1, reference="x:y", values={}, **fields)
    journal = Journal(folder.journal, job.run_id, 1)
    yield AttemptContext(folder, job, journal, Control(), None)
    journal.close()


def save(folder: Path) -> None:
    (folder / "state").write_text("a state")


def save_otherwise(folder: Path) -> None:
    (folder / "state").write_text("another state")


def evaluated(context: Context, step: int, score: Any) -> None:
    file = context.folder / "predictions"
    file.write_text("{}\n")
    context.evaluated(step, "b", [score], file)


MISUSES: dict[str, Callable[[Any], object]] = {
    "a text as a number": lambda it: it.log({"loss": "0.5"}, step=1),
    "nothing as a number": lambda it: it.log({"loss": None}, step=1),
    "an array as a number": lambda it: it.log({"loss": np.ones(3)}, step=1),
    "a number as a name": lambda it: it.log({1: 0.5}, step=1),
    "no name": lambda it: it.log({"": 0.5}, step=1),
    "two lines as a name": lambda it: it.log({"a\nb": 0.5}, step=1),
    "half a pair as a name": lambda it: it.log({"\ud800": 0.5}, step=1),
    "a fraction as a step": lambda it: it.log({"loss": 0.5}, step=1.0),
    "a step beyond 64 bits": lambda it: it.log({"loss": 0.5}, step=2**63),
    "a fraction as a time": lambda it: it.log({"loss": 0.5}, step=1, time=1.5),
    "a phase that is no text": lambda it: it.progress(None),
    "a share as a count": lambda it: it.progress("training", 0.5, 1),
    "a flag that is no text": lambda it: it.environment(devices=8),
    "a checkpoint at half a step": lambda it: it.checkpoint(1.5, save),
    "a checkpoint before the first step": lambda it: it.checkpoint(-1, save),
    "a text as a loss": lambda it: it.checkpoint(1, save, loss="low"),
    "a path out of the run": lambda it: it.artifact(__file__, "../up"),
    "a path of dots": lambda it: it.artifact(__file__, "."),
    "a path that is not plain": lambda it: it.artifact(__file__, "a/./b"),
    "a path of two lines": lambda it: it.artifact(__file__, "a\nb"),
    "an endless path": lambda it: it.artifact(__file__, "a" * 501),
    "a Path as a path": lambda it: it.artifact(__file__, Path("a")),
    "no media type": lambda it: it.artifact(__file__, "a", media_type=None),
    "a score that is no number": lambda it: evaluated(it, 1, Score(name="f1", value="high", count=1)),  # type: ignore[arg-type]
    "a number as a score": lambda it: evaluated(it, 1, 0.5),
    "an evaluation at half a step": lambda it: evaluated(it, 1.5, Score(name="f1", value=1.0, count=1)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
def test_what_cannot_be_recorded_is_refused_wherever_a_recipe_runs(
    context: Context, misuse: Callable[[Any], object]
) -> None:
    with pytest.raises(MisusedContext):
        misuse(context)


def test_the_environment_is_told_before_anything_is_logged(context: Context) -> None:
    context.environment(mesh="8x1")
    context.log({"loss": np.float32(0.5)}, step=np.int32(1))  # type: ignore[arg-type, dict-item]
    with pytest.raises(MisusedContext, match="before the first thing that is logged"):
        context.environment(mesh="4x2")


def test_a_checkpoint_does_not_go_back(context: Context) -> None:
    context.checkpoint(2, save)
    context.checkpoint(2, save)
    with pytest.raises(MisusedContext, match="a checkpoint at step 1 cannot follow the one at step 2"):
        context.checkpoint(1, save)
    context.checkpoint(3, save)


def test_an_evaluation_waits_for_the_checkpoint_of_its_step(context: Any) -> None:
    evaluated(context, 2, Score(name="f1", value=0.5, count=1))
    with pytest.raises(MisusedContext, match="evaluations of another step than 3"):
        context.checkpoint(3, save)
    with pytest.raises(MisusedContext, match="no checkpoint of step 2 followed"):
        context.check_all_saved()
    context.checkpoint(2, save)
    context.check_all_saved()


def test_a_save_that_fails_leaves_nothing_behind(context: Context, tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        save(folder)
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        context.checkpoint(1, fail)
    assert not [
        path for path in tmp_path.rglob("*") if path.name.startswith("saving") or path.name == "state"
    ]


def test_another_state_of_the_same_step_is_refused(tmp_path: Path) -> None:
    with attempt(tmp_path / "attempt") as context:
        context.checkpoint(2, save)
        with pytest.raises(MisusedContext, match="another state has been saved at step 2 already"):
            context.checkpoint(2, save_otherwise)


def test_an_attempt_that_begins_anew_is_told_so_at_its_first_checkpoint(tmp_path: Path) -> None:
    """It may save at the very step from which it went on, as when it is stopped at once."""
    with attempt(tmp_path / "attempt", saved_step=10) as context:
        with pytest.raises(MisusedContext, match="does the training go on from `checkpoint_folder`"):
            context.checkpoint(5, save)
        context.checkpoint(10, save)


def test_what_the_spec_does_not_name_is_not_given(tmp_path: Path) -> None:
    context = StandaloneContext(tmp_path, datasets={})
    for ask in (context.dataset, context.benchmark, context.scorer):
        with pytest.raises(MisusedContext, match="the spec names no"):
            ask("x")
