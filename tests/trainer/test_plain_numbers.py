"""Recipes hand over what their libraries give them: scalars of arrays, and texts that UTF-8 cannot spell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from runledger.tracker.events.base import Score
from runledger.tracker.journal import Checkpoint, Ended, Evaluated, Points, Progress, Reader, Record
from runledger.tracker.journal_writer import Journal
from runledger.trainer.attempt.context import AttemptContext
from runledger.trainer.attempt.control import Control
from runledger.trainer.attempt.execution import execute
from runledger.trainer.attempt.job import BenchmarkFile, Folder, Job
from runledger.trainer.errors import MisusedContext
from runledger.trainer.recipe import Recipe
from tests.trainer.test_attempt import of


class Nothing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def context(folder: Folder) -> AttemptContext:
    benchmark = BenchmarkFile(benchmark_id="b", dataset="d", path="", scorer="s", scorer_version=1)
    job = Job(run_id="5f" * 16, attempt=1, reference="x:y", values={}, benchmarks=(benchmark,))
    journal = Journal(folder.journal, job.run_id, job.attempt)
    return AttemptContext(folder, job, journal, Control(), None)


def records(folder: Folder) -> list[Record]:
    return [entry.record for entry in Reader(folder.journal).read()]


def save(folder: Path) -> None:
    (folder / "state").write_bytes(b"state")


def test_a_checkpoint_takes_scalars_of_arrays(
    context: AttemptContext, folder: Folder, tmp_path: Path
) -> None:
    predictions = tmp_path / "predictions"
    predictions.write_bytes(b"{}\n")
    score = Score(name="f1", value=np.float64(0.5), low=np.float32(0.25), high=None, count=np.int64(1))  # type: ignore[arg-type]

    context.log({"loss": np.float32(0.5)}, step=np.int64(3))
    context.progress("training", np.int64(3), np.int32(9))
    context.evaluated(np.int64(3), "b", [score], predictions)
    context.checkpoint(np.int64(3), save, loss=np.float64(0.25))

    found = records(folder)
    assert of(Points, found)[0].values == {"loss": 0.5}
    assert of(Progress, found) == [Progress(phase="training", done=3, total=9)]
    assert of(Evaluated, found)[0].scores == (Score(name="f1", value=0.5, low=0.25, count=1),)
    assert [(saved.step, saved.loss) for saved in of(Checkpoint, found)] == [(3, 0.25)]


@pytest.mark.parametrize(("step", "loss"), [(1.5, None), ("1", None), (2**63, None), (1, "low"), (1, [0.5])])
def test_what_is_no_number_is_refused_before_anything_is_saved(
    context: AttemptContext, folder: Folder, step: Any, loss: Any
) -> None:
    with pytest.raises(MisusedContext):
        context.checkpoint(step, save, loss=loss)
    context.checkpoint(1, save)
    assert [saved.step for saved in of(Checkpoint, records(folder))] == [1]


def ended_of(train: Any, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Ended:
    recipe = Recipe(name="r", version=1, spec=Nothing, train=train)
    monkeypatch.setattr(f"{__name__}.recipe", recipe, raising=False)
    job = Job(run_id="5f" * 16, attempt=1, reference=f"{__name__}:recipe", values={})
    journal = Journal(folder.journal, job.run_id, job.attempt)
    execute(folder, job, journal, Control())
    return of(Ended, records(folder))[0]


@pytest.mark.parametrize(
    ("returned", "metrics"),
    [
        (None, {}),
        ({}, {}),
        ({"loss": np.float32(0.5)}, {"loss": 0.5}),
        ({"loss": np.array(2)}, {"loss": 2.0}),
    ],
)
def test_a_training_returns_metrics_or_nothing(
    returned: Any, metrics: dict[str, float], folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = ended_of(lambda spec, context: returned, folder, monkeypatch)
    assert (ended.outcome, ended.metrics) == ("completed", metrics)


@pytest.mark.parametrize(
    ("returned", "problem"),
    [
        ("done", "metrics are names with their numbers, not a str"),
        ([0.5], "metrics are names with their numbers, not a list"),
        ({"loss": "0.5"}, "loss: not a number but str"),
        ({"loss": np.ones(3)}, "loss: not a number but ndarray"),
        ({"": 0.5}, "'': a metric's name is a text of 1 to 250 characters"),
        ({3: 0.5}, "3: a metric's name is a text of 1 to 250 characters"),
    ],
)
def test_what_a_training_returned_in_vain_is_named(
    returned: Any, problem: str, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = ended_of(lambda spec, context: returned, folder, monkeypatch)
    assert (ended.outcome, ended.error_class) == ("failed", "BadMetrics")
    assert f"what the training returned: {problem}" in ended.message


def test_a_failure_is_told_whatever_its_message_holds(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(spec: Nothing, context: Any) -> dict[str, float]:
        raise ValueError("cannot read caf\udce9.txt")

    ended = ended_of(train, folder, monkeypatch)
    assert (ended.outcome, ended.error_class) == ("failed", "ValueError")
    assert ended.message == "cannot read caf\\udce9.txt"
