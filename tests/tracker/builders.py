"""Events and commands of a run with everything filled in that a test does not care about."""

from __future__ import annotations

from typing import Any

from runledger.tracker.aggregates.run import (
    RecordCheckpoint,
    RecordEnvironment,
    RecordEvaluation,
    RequestRun,
)
from runledger.tracker.events.base import Covers, ResumePoint, Score
from runledger.tracker.events.run import (
    RunCheckpointDeleted,
    RunCheckpointed,
    RunEnvironmentRecorded,
    RunEvaluated,
    RunRequested,
    RunStarted,
)
from runledger.tracker.ids import Digest, RunId
from runledger.tracker.spec import Limits, RunSpec

R = RunId("r")
SPEC = RunSpec(recipe="lm", version=1, digest="source", values={"model": {"layers": 2}, "rate": 0.5})
COVERS = Covers(version=1, offset=5)
SCORE = Score(name="exact_match", value=0.5, low=0.4, high=0.6, count=10)


def digest(step: int, attempt: int = 1) -> Digest:
    return Digest(f"{attempt:032d}{step:032d}")


def requested(**fields: Any) -> RunRequested:
    return RunRequested(
        **{"experiment_id": "x", "name": "first", "spec": SPEC, "requested_by": "me", **fields}
    )


def request(**fields: Any) -> RequestRun:
    return RequestRun(
        **{"run_id": R, "experiment_id": "x", "name": "first", "spec": SPEC, "requested_by": "me", **fields}
    )


def limited(attempts: int) -> RunRequested:
    return requested(limits=Limits(attempts=attempts))


def started(attempt: int = 1, resumed_from: ResumePoint | None = None) -> RunStarted:
    return RunStarted(attempt=attempt, worker="w", epoch=attempt, resumed_from=resumed_from)


def checkpointed(step: int, attempt: int = 1, **fields: Any) -> RunCheckpointed:
    return RunCheckpointed(
        attempt=attempt, step=step, digest=digest(step, attempt), size_bytes=9, covers=COVERS, **fields
    )


def record_checkpoint(step: int, attempt: int = 1, **fields: Any) -> RecordCheckpoint:
    return RecordCheckpoint(
        **{
            "run_id": R,
            "attempt": attempt,
            "step": step,
            "digest": digest(step, attempt),
            "size_bytes": 9,
            "covers": COVERS,
            **fields,
        }
    )


def deleted(step: int, attempt: int = 1) -> RunCheckpointDeleted:
    return RunCheckpointDeleted(attempt=attempt, step=step, digest=digest(step, attempt), policy="latest 1")


def point(step: int, attempt: int = 1) -> ResumePoint:
    return ResumePoint(attempt=attempt, step=step, digest=digest(step, attempt))


def environment(attempt: int = 1, **fields: Any) -> RunEnvironmentRecorded:
    return RunEnvironmentRecorded(
        **{"attempt": attempt, "versions": {"jax": "1"}, "devices": ("cpu:0",), **fields}
    )


def record_environment(attempt: int = 1, **fields: Any) -> RecordEnvironment:
    return RecordEnvironment(
        **{"run_id": R, "attempt": attempt, "versions": {"jax": "1"}, "devices": ("cpu:0",), **fields}
    )


def evaluated(step: int, attempt: int = 1, evaluation_id: str = "e", score: Score = SCORE) -> RunEvaluated:
    return RunEvaluated(
        attempt=attempt, step=step, benchmark_id="b", evaluation_id=evaluation_id, scores=(score,)
    )


def record_evaluation(
    step: int, attempt: int = 1, evaluation_id: str = "e", score: Score = SCORE
) -> RecordEvaluation:
    return RecordEvaluation(
        run_id=R,
        attempt=attempt,
        step=step,
        benchmark_id="b",
        evaluation_id=evaluation_id,
        scores=(score,),
    )
