"""What the bytes beside this file mean, whatever the code becomes: (tag, schema) to the event of today.

An entry is never changed. A new schema of an event adds an entry and a file, and the old ones stay, so
that every log ever written can be read. `nan` stands in where a number may be one.
"""

from __future__ import annotations

from datetime import UTC, datetime

from runledger.tracker.events.base import Covers, Event, ForkPoint, ResumePoint, Score
from runledger.tracker.events.benchmark import BaselinePromoted, BaselineWithdrawn, BenchmarkDefined
from runledger.tracker.events.dataset import DatasetDescribed, DatasetRegistered, Generated
from runledger.tracker.events.evaluation import (
    EvaluationCompleted,
    EvaluationFailed,
    EvaluationLost,
    EvaluationRequested,
    EvaluationStarted,
    EvaluationSuperseded,
)
from runledger.tracker.events.experiment import (
    ExperimentArchived,
    ExperimentCreated,
    ExperimentRenamed,
    ExperimentRestored,
)
from runledger.tracker.events.log import LogRestored
from runledger.tracker.events.model import AliasMoved, ModelCreated, ModelRenamed, ModelVersionRegistered
from runledger.tracker.events.run import (
    RunArtifactRecorded,
    RunAttemptLost,
    RunAttemptReturned,
    RunCancellationRequested,
    RunCancelled,
    RunCheckpointDeleted,
    RunCheckpointed,
    RunCompleted,
    RunEnvironmentRecorded,
    RunEvaluated,
    RunFailed,
    RunHidden,
    RunNoted,
    RunParamsRecorded,
    RunPaused,
    RunPauseRequested,
    RunPreempted,
    RunRenamed,
    RunRequested,
    RunResumed,
    RunRetried,
    RunShown,
    RunStarted,
    RunTagged,
)
from runledger.tracker.events.sweep import (
    SweepCancelled,
    SweepCompleted,
    SweepRequested,
    TrialCompleted,
    TrialFailed,
    TrialProposed,
    TrialPruned,
    TrialReported,
)
from runledger.tracker.events.telemetry import LogsRecorded, MetricsRecorded
from runledger.tracker.ids import Digest
from runledger.tracker.spec import DeviceRequest, Limits, RunSpec

nan = float("nan")
A, B, C = (Digest(letter * 64) for letter in "abc")
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
POINT = ResumePoint(attempt=1, step=200, digest=A)
SCORES = (
    Score(name="exact_match", value=0.9, low=0.87, high=0.93, count=500, unscored=2),
    Score(name="loss", value=nan, count=502),
)

EXPECTED: dict[tuple[str, int], Event] = {
    ("RunRequested", 1): RunRequested(
        experiment_id="x",
        name="first try",
        spec=RunSpec(
            recipe="lm",
            version=3,
            digest=A,
            values={"model": {"layers": 2}, "rate": 0.5, "mix": ["a", None], "tied": True},
        ),
        tags={"team": "nlp"},
        priority=5,
        limits=Limits(attempts=2, wall_seconds=60.5, no_progress_seconds=30.0),
        device=DeviceRequest(kind="gpu", count=2, memory_bytes=8_000_000_000),
        worker_labels={"zone": "a"},
        forked_from=ForkPoint(run_id="other", step=10, digest=B),
        external=True,
        requested_by="api:me",
    ),
    ("RunStarted", 1): RunStarted(attempt=2, worker="w1", epoch=7, resumed_from=POINT),
    ("RunEnvironmentRecorded", 1): RunEnvironmentRecorded(
        attempt=2,
        versions={"jax": "0.10.2", "python": "3.11.7"},
        devices=("cpu:0",),
        flags={"XLA_FLAGS": "--xla_cpu"},
        seed=17,
        code_revision="0417ed5",
        code_diff_digest=A,
        lock_digest=B,
        dataset_digest=C,
        resume="changed",
        changed=("devices", "seed"),
    ),
    ("RunParamsRecorded", 1): RunParamsRecorded(
        params={"i": 1, "f": nan, "s": "text", "b": False, "n": None}
    ),
    ("RunCheckpointed", 1): RunCheckpointed(
        attempt=1, step=200, digest=A, size_bytes=4096, loss=nan, covers=Covers(version=3, offset=17)
    ),
    ("RunCheckpointDeleted", 1): RunCheckpointDeleted(attempt=1, step=100, digest=B, policy="latest 2"),
    ("RunArtifactRecorded", 1): RunArtifactRecorded(
        attempt=1, path="plots/loss.svg", digest=C, size_bytes=12, media_type="image/svg+xml"
    ),
    ("RunEvaluated", 1): RunEvaluated(
        attempt=1, step=200, benchmark_id="b", evaluation_id="e", scores=SCORES
    ),
    ("RunCancellationRequested", 1): RunCancellationRequested(reason="enough"),
    ("RunCancelled", 1): RunCancelled(attempt=1, step=210, checkpoint=A),
    ("RunPauseRequested", 1): RunPauseRequested(reason="lunch"),
    ("RunPaused", 1): RunPaused(attempt=1, step=210, checkpoint=A),
    ("RunResumed", 1): RunResumed(attempt=2, reason="back"),
    ("RunAttemptLost", 1): RunAttemptLost(attempt=1, last_heartbeat_at=AT, resume_point=POINT),
    ("RunAttemptReturned", 1): RunAttemptReturned(attempt=2, worker="host-7-0f3a9c1e", epoch=5),
    ("RunPreempted", 1): RunPreempted(attempt=1, signal="SIGTERM", step=210, checkpoint=A),
    ("RunRetried", 1): RunRetried(attempt=2, why="preemption"),
    ("RunCompleted", 1): RunCompleted(
        attempt=2, step=400, metrics={"loss": 0.25, "gap": float("inf"), "odd": nan}
    ),
    ("RunFailed", 1): RunFailed(
        attempt=2,
        reason="out-of-memory",
        error_class="XlaRuntimeError",
        message="RESOURCE_EXHAUSTED",
        last_lines=("step 1", "step 2 ü"),
    ),
    ("RunRenamed", 1): RunRenamed(name="second try"),
    ("RunTagged", 1): RunTagged(added={"team": "vision"}, removed=("old",)),
    ("RunNoted", 1): RunNoted(note="looks *good*"),
    ("RunHidden", 1): RunHidden(reason="typo"),
    ("RunShown", 1): RunShown(reason="needed"),
    ("MetricsRecorded", 1): MetricsRecorded(
        keys=("train/loss", "eval/loss"),
        key_index=bytes.fromhex("00000100"),
        step=bytes.fromhex("01000000000000000200000000000000"),
        time=bytes.fromhex("00e1f5050000000000e1f50500000000"),
        value=bytes.fromhex("000000000000f87f000000000000f07f"),
    ),
    ("LogsRecorded", 1): LogsRecorded(start=1024, size_bytes=512, digest=C),
    ("ExperimentCreated", 1): ExperimentCreated(name="arithmetic", description="sums"),
    ("ExperimentRenamed", 1): ExperimentRenamed(name="reasoning"),
    ("ExperimentArchived", 1): ExperimentArchived(reason="done"),
    ("ExperimentRestored", 1): ExperimentRestored(reason="not done"),
    ("DatasetRegistered", 1): DatasetRegistered(
        name="arithmetic",
        format="traces",
        items=20_000,
        size_bytes=2_982_968,
        source=Generated(generator="arithmetic", options={"seed": 0, "operations": ["+", "-"]}),
        statistics={"steps_mean": 2.95},
    ),
    ("DatasetDescribed", 1): DatasetDescribed(description="two and three digits"),
    ("BenchmarkDefined", 1): BenchmarkDefined(
        name="sums",
        dataset=B,
        scorer="exact_match",
        scorer_version=1,
        direction="maximize",
        tolerance=0.01,
    ),
    ("BaselinePromoted", 1): BaselinePromoted(
        evaluation_id="e2", previous="e1", evidence={"p": "0.01"}, reason="better"
    ),
    ("BaselineWithdrawn", 1): BaselineWithdrawn(evaluation_id="e2", reason="leak"),
    ("EvaluationRequested", 1): EvaluationRequested(
        run_id="r", step=200, checkpoint=A, benchmark_id="b", requested_by="worker:w1"
    ),
    ("EvaluationStarted", 1): EvaluationStarted(attempt=1, worker="w1", epoch=3),
    ("EvaluationLost", 1): EvaluationLost(attempt=1, last_heartbeat_at=AT),
    ("EvaluationCompleted", 1): EvaluationCompleted(attempt=2, scores=SCORES, predictions=C, items=502),
    ("EvaluationFailed", 1): EvaluationFailed(attempt=None, error_class="ScorerMissing", message="no"),
    ("EvaluationSuperseded", 1): EvaluationSuperseded(by="e3", reason="the scorer was wrong"),
    ("ModelCreated", 1): ModelCreated(name="adder", description="adds"),
    ("ModelRenamed", 1): ModelRenamed(name="calculator"),
    ("ModelVersionRegistered", 1): ModelVersionRegistered(
        version=1, checkpoint=A, run_id="r", step=200, evaluations=("e1", "e2")
    ),
    ("AliasMoved", 1): AliasMoved(
        alias="champion", from_version=1, to_version=None, evidence={"e": "e2"}, reason="leak"
    ),
    ("SweepRequested", 1): SweepRequested(
        experiment_id="x",
        name="rates",
        space={"rate": {"low": 0.001, "high": 0.1}},
        sampler="tpe",
        pruner="median",
        metric="eval/loss",
        direction="minimize",
        trials=20,
        parallel=2,
        seed=1,
        requested_by="api:me",
    ),
    ("TrialProposed", 1): TrialProposed(trial=1, run_id="r", params={"rate": 0.01}),
    ("TrialReported", 1): TrialReported(trial=1, step=100, value=nan),
    ("TrialPruned", 1): TrialPruned(trial=1, step=100),
    ("TrialCompleted", 1): TrialCompleted(trial=2, value=0.5),
    ("TrialFailed", 1): TrialFailed(trial=3, reason="diverged"),
    ("SweepCompleted", 1): SweepCompleted(best_trial=2),
    ("SweepCancelled", 1): SweepCancelled(reason="enough"),
    ("LogRestored", 1): LogRestored(
        reason="disk failed",
        kept=4000,
        lost_size=4711,
        lost_root=A,
        lost_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    ),
}
