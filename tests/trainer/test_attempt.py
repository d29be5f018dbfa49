"""The attempt's own process, driven by hand as its supervisor would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from runledger.tracker.journal import Checkpoint, Ended, Environment, Evaluated, Points, Reader, Record
from runledger.trainer.attempt.job import BenchmarkFile, CheckpointFile, Folder, Job

ROOT = Path(__file__).parents[2]
REFERENCE = "tests.trainer.toy_recipe:toy"


class Child:
    def __init__(self, path: Path, **job: Any) -> None:
        path.mkdir(parents=True)
        self.folder = Folder(path)
        self.folder.write_job(Job(**{"run_id": "5f" * 16, "attempt": 1, "reference": REFERENCE, **job}))
        with self.folder.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "runledger.trainer.attempt", str(path)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )

    @property
    def pipe(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    def records(self) -> list[Record]:
        return [entry.record for entry in Reader(self.folder.journal).read()]

    def wait(self) -> list[Record]:
        self.process.wait(timeout=30)
        return self.records()

    def wait_for(self, found: Callable[[list[Record]], bool]) -> None:
        deadline = time.monotonic() + 30
        while not found(self.records()):
            assert self.process.poll() is None and time.monotonic() < deadline, self.folder.output.read_text()
            time.sleep(0.01)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def start(**job: Any) -> Child:
        children.append(Child(tmp_path / f"attempt-{len(children)}", **job))
        return children[-1]

    yield start
    for child in children:
        child.pipe.close()
        child.process.wait(timeout=30)


def curve(records: list[Record]) -> list[tuple[int, dict[str, float]]]:
    return [(record.step, record.values) for record in records if isinstance(record, Points)]


def of(kind: type[Any], records: list[Record]) -> list[Any]:
    return [record for record in records if isinstance(record, kind)]


def test_a_training_is_written_down_from_start_to_end(start: Callable[..., Child]) -> None:
    child = start(values={"steps": 10, "seed": 3})
    records = child.wait()
    assert [step for step, _ in curve(records)] == list(range(1, 11))
    assert [found.step for found in of(Checkpoint, records)] == [0, 5, 10]
    ended = records[-1]
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.step, list(ended.metrics)) == ("completed", 10, ["x"])
    environment = of(Environment, records)[0]
    assert environment.seed == 3
    assert environment.versions["python"].startswith("3.")
    assert "step 10 x" in child.folder.output.read_text()
    assert child.process.returncode == 0


def test_a_light_recipe_never_loads_jax(start: Callable[..., Child]) -> None:
    environment = of(Environment, start(values={"steps": 1}).wait())[0]
    assert environment.devices[0].startswith("cpu")
    assert not any(name.startswith("jax_") for name in environment.flags)


def test_a_checkpoint_covers_the_batches_before_it(start: Callable[..., Child]) -> None:
    records = start(values={"steps": 10}).wait()
    assert [found.mark for found in of(Checkpoint, records)] == [0, 1, 2]


def test_a_resumed_training_goes_on_bit_for_bit(start: Callable[..., Child]) -> None:
    whole = start(values={"steps": 20})
    saved = of(Checkpoint, whole.wait())[2]
    packed = CheckpointFile(
        path=str(whole.folder.staged / saved.digest), step=saved.step, digest=saved.digest
    )
    resumed = start(values={"steps": 20}, checkpoint=packed, attempt=2).wait()
    assert curve(resumed) == curve(whole.records())[10:]
    assert of(Environment, resumed) == of(Environment, whole.records())


@pytest.mark.parametrize(
    ("fault", "reason", "error_class"),
    [
        ("error", "error", "ValueError"),
        ("diverged", "diverged", "Diverged"),
        ("memory", "out-of-memory", "RuntimeError"),
    ],
)
def test_a_failure_says_why(start: Callable[..., Child], fault: str, reason: str, error_class: str) -> None:
    child = start(values={"fault": fault, "fault_at": 3})
    ended = child.wait()[-1]
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.reason, ended.error_class, ended.step) == ("failed", reason, error_class, 2)
    assert "Traceback" in child.folder.output.read_text()
    assert child.process.returncode == 1


def test_a_spec_that_does_not_fit_is_a_failure(start: Callable[..., Child]) -> None:
    ended = start(values={"stepz": 3}).wait()[-1]
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.error_class) == ("failed", "ValidationError")
    assert "stepz" in ended.message


def test_a_recipe_that_is_not_there_is_a_failure(start: Callable[..., Child]) -> None:
    ended = start(values={}, reference="tests.trainer.toy_recipe:ToySpec").wait()[-1]
    assert isinstance(ended, Ended)
    assert ended.error_class == "NotARecipe"


def test_a_stop_ends_at_a_boundary_with_a_checkpoint(start: Callable[..., Child], tmp_path: Path) -> None:
    child = start(values={"steps": 100, "gate": str(tmp_path / "gate"), "gate_at": 7})
    child.wait_for(lambda records: any(step == 7 for step, _ in curve(records)))
    child.pipe.write(b"stop\n")
    child.pipe.flush()
    records = child.wait()
    ended = records[-1]
    assert isinstance(ended, Ended)
    assert ended.outcome == "stopped"
    assert of(Checkpoint, records)[-1].step == ended.step
    assert child.process.returncode == 0


def test_an_attempt_without_supervisor_ends_at_once(start: Callable[..., Child]) -> None:
    child = start(values={"fault": "deaf", "fault_at": 1})
    child.wait_for(lambda records: len(of(Checkpoint, records)) == 1)
    child.pipe.close()
    child.process.wait(timeout=10)
    assert not of(Ended, child.records())


def test_an_evaluation_is_told_before_its_checkpoint(start: Callable[..., Child], tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    items.write_text("".join(json.dumps({"id": str(number)}) + "\n" for number in range(3)))
    benchmark = BenchmarkFile(
        benchmark_id="b1", dataset="d1", path=str(items), scorer="exact_match", scorer_version=1
    )
    child = start(values={"steps": 5, "benchmark": "b1"}, benchmarks=(benchmark,))
    records = child.wait()
    told = [type(record) for record in records if isinstance(record, Evaluated | Checkpoint)]
    assert told == [Evaluated, Checkpoint, Evaluated, Checkpoint]
    predictions = (child.folder.staged / of(Evaluated, records)[0].predictions).read_text()
    assert [json.loads(line)["id"] for line in predictions.splitlines()] == ["0", "1", "2"]


def test_a_benchmark_that_the_spec_does_not_name_is_refused(start: Callable[..., Child]) -> None:
    ended = start(values={"benchmark": "b1"}).wait()[-1]
    assert isinstance(ended, Ended)
    assert ended.error_class == "MisusedContext"


def test_the_same_state_is_the_same_checkpoint(start: Callable[..., Child]) -> None:
    first, second = start(values={"steps": 5}), start(values={"steps": 5})
    (saved, *_) = found = of(Checkpoint, first.wait())
    assert found == of(Checkpoint, second.wait())
    with tarfile.open(first.folder.staged / saved.digest) as tar:
        assert tar.getnames() == ["state.json"]
