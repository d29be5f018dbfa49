"""The names of streams."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid

import pytest

from runledger.tracker import ids
from runledger.tracker.ids import BenchmarkId, Digest, EvaluationId, ExperimentId, ModelId, RunId, SweepId


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        (ids.run_stream(RunId("7")), "run"),
        (ids.experiment_stream(ExperimentId("7")), "experiment"),
        (ids.dataset_stream(Digest("7")), "dataset"),
        (ids.benchmark_stream(BenchmarkId("7")), "benchmark"),
        (ids.evaluation_stream(EvaluationId("7")), "evaluation"),
        (ids.model_stream(ModelId("7")), "model"),
        (ids.sweep_stream(SweepId("7")), "sweep"),
    ],
)
def test_a_stream_is_a_kind_and_an_id(stream: str, kind: str) -> None:
    assert stream == f"{kind}-7"
    assert (ids.kind_of(stream), ids.id_of(stream)) == (kind, "7")


def test_an_id_with_a_dash_comes_back_whole() -> None:
    assert ids.id_of("run-a-b-c") == "a-b-c"
    stream = ids.telemetry_stream(RunId("a-b"), 12)
    assert (ids.kind_of(stream), ids.telemetry_ids(stream)) == ("telemetry", ("a-b", 12))


def test_ids_are_fresh() -> None:
    made = {ids.new_id() for _ in range(100)}
    assert len(made) == 100
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in made)


def test_event_ids_differ_and_follow_the_clock() -> None:
    drawn = [ids.new_event_id() for _ in range(1_000)]
    assert len(set(drawn)) == 1_000
    assert {(each.version, each.variant) for each in drawn} == {(7, uuid.RFC_4122)}
    milliseconds = [each.int >> 80 for each in drawn]
    assert milliseconds == sorted(milliseconds)
    assert abs(milliseconds[-1] - time.time() * 1_000) < 60_000


FORK = """
import os, random
from runledger.tracker.ids import new_event_id

def draw():
    print(*(new_event_id().int % 2**62 for _ in range(3)), flush=True)

random.seed(7)
if os.fork() == 0:
    draw()
    os._exit(0)
os.wait()
draw()
"""


def test_event_ids_are_no_others_after_a_fork_or_a_seed_of_the_training() -> None:
    def run() -> list[str]:
        command = [sys.executable, "-c", FORK]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()

    drawn = run() + run()
    assert len(drawn) == len(set(drawn)) == 12
