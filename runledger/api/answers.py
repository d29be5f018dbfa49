"""What the API answers with: the shapes that its routes write and that its client reads.

Plain Structs without Litestar or SQLAlchemy, so that a program that only asks loads neither. Times are
UTC. JSON has no NaN: a `Number` is a float or one of three strings, and `float(number)` reads both.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal, TypeAlias, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from runledger.tracker.events.base import ForkPoint, ResumePoint
from runledger.tracker.events.benchmark import Direction
from runledger.tracker.events.dataset import Generated, Uploaded
from runledger.tracker.events.run import RunEnvironmentRecorded
from runledger.tracker.spec import DeviceRequest, JsonObject, Limits, RunSpec, Scalar

Number: TypeAlias = float | Literal["NaN", "Infinity", "-Infinity"]
Status: TypeAlias = Literal[
    "queued", "running", "pausing", "paused", "cancelling", "completed", "failed", "cancelled"
]
ENDED: frozenset[str] = frozenset({"completed", "failed", "cancelled"})

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    items: list[T]
    next: str | None = None
    """Given as `cursor`, brings the page after this one; None on the last."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A command was carried out; a reader that gives `position` as `after` sees its effect."""

    position: int
    version: int
    """The new version of what was changed: its ETag."""


class Launched(msgspec.Struct, frozen=True, kw_only=True):
    run_id: str
    experiment_id: str
    position: int
    version: int
    links: dict[str, str] = {}


class TelemetryPlace(msgspec.Struct, frozen=True, kw_only=True):
    """What the log has of an attempt's telemetry: the version of its stream, batches of points, output."""

    version: int = 0
    batches: int = 0
    output_bytes: int = 0


class BatchTaken(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of points is in the log."""

    version: int
    """Of the attempt's telemetry with it."""
    batch: int
    position: int


class AttemptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt as whoever executes it has to know it."""

    run_id: str
    attempt: int
    epoch: int
    """In which its lease is held, 0 where it is not."""
    lease_seconds: float
    """How long it may stay silent, 0 where its lease is not held."""
    status: Status
    """The run's."""
    outcome: str | None
    """completed, failed, lost, preempted, cancelled or paused; None while it executes."""
    resumed_from: ResumePoint | None
    telemetry: TelemetryPlace
    position: int


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """The lease is renewed."""

    stop: Literal["cancel", "pause"] | None
    """What is asked of the attempt: to stop at its next step, for good or for now."""
    lease_seconds: float


class BlobWritten(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes are there, now or since before."""

    digest: str
    size_bytes: int


class ExperimentWritten(msgspec.Struct, frozen=True, kw_only=True):
    experiment_id: str
    position: int
    version: int


class DatasetWritten(msgspec.Struct, frozen=True, kw_only=True):
    """Registered now, or known already: the same bytes are the same dataset."""

    digest: str
    items: int
    size_bytes: int
    position: int
    version: int


class BenchmarkWritten(msgspec.Struct, frozen=True, kw_only=True):
    benchmark_id: str
    dataset: str
    position: int
    version: int


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One event, as it was recorded."""

    position: int
    stream: str
    version: int
    event_id: UUID
    type: str
    schema: int
    recorded_at: datetime
    occurred_at: datetime
    actor: str
    correlation_id: str | None
    causation_id: str | None
    data: dict[str, Any]


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    experiment_id: str
    position: int
    version: int
    name: str
    description: str
    archived: bool
    runs: int
    """How many runs were requested in it, the hidden ones among them."""
    created_at: datetime
    created_by: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of the run on one worker."""

    attempt: int
    worker: str
    epoch: int
    started_at: datetime
    ended_at: datetime | None
    ending: str | None
    """completed, failed, lost, preempted, cancelled or paused; None while it executes."""
    resumed_from: ResumePoint | None
    environment: RunEnvironmentRecorded | None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the attempt is that executes now."""

    phase: str | None
    done: int | None
    total: int | None
    progressed_at: datetime
    heartbeat_at: datetime


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    reason: str
    """error, diverged, out-of-memory, timed-out, no-progress or worker-lost."""
    error_class: str
    message: str
    last_lines: list[str]


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run as lists show it."""

    run_id: str
    experiment_id: str
    name: str
    status: Status
    version: int
    position: int
    """Of the request: newer runs have larger ones."""
    recipe: str
    priority: int
    external: bool
    hidden: bool
    attempt: int | None
    """The attempt that executes, waits for a worker, or came last."""
    step: int | None
    """Of the last recorded checkpoint."""
    tags: dict[str, str]
    requested_at: datetime
    requested_by: str
    started_at: datetime | None
    updated_at: datetime
    ended_at: datetime | None
    links: dict[str, str] = {}

    @property
    def is_ended(self) -> bool:
        return self.status in ENDED


class Run(RunRow, frozen=True, kw_only=True):
    """A run with all that is known of its life, but for its curves, logs and evaluations."""

    spec: RunSpec
    params: dict[str, Scalar]
    note: str
    limits: Limits
    device: DeviceRequest
    worker_labels: dict[str, str]
    forked_from: ForkPoint | None
    attempts: list[Attempt]
    progress: Progress | None = None
    """None where no attempt executes."""
    failure: Failure | None
    final_metrics: dict[str, Number]


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    attempt: int
    step: int
    digest: str
    size_bytes: int
    loss: Number | None
    saved_at: datetime
    deleted_at: datetime | None
    deleted_by: str | None
    """The policy that deleted its bytes."""
    links: dict[str, str] = {}


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    attempt: int
    digest: str
    size_bytes: int
    media_type: str
    recorded_at: datetime
    links: dict[str, str] = {}


class MetricSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The effective points of one metric in a few numbers; the least and greatest of the finite ones."""

    key: str
    points: int
    non_finite: int
    last_value: Number
    last_step: int
    last_time: int
    """µs since 1970."""
    min_value: Number | None
    min_step: int | None
    max_value: Number | None
    max_step: int | None


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A curve as columns, in the order in which the points were logged, attempt after attempt."""

    key: str
    points: int
    """How many there are; fewer are shown where the curve was thinned out."""
    non_finite: int
    attempt: list[int]
    step: list[int]
    time: list[int]
    """µs since 1970, the writer's clock."""
    value: list[Number]


class ScoreAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A score with its 95 % interval over `count` scored items."""

    name: str
    value: Number
    low: Number | None
    high: Number | None
    count: int
    unscored: int
    method: str | UnsetType = UNSET
    """How the interval was found; absent where that was not recorded."""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One checkpoint on one benchmark."""

    evaluation_id: str
    position: int
    version: int
    run_id: str
    step: int
    checkpoint: str
    benchmark_id: str
    status: Literal["requested", "running", "completed", "failed", "superseded"]
    attempt: int | None
    worker: str | None
    scores: list[ScoreAnswer]
    predictions: str | None
    """Digest of the predictions' blob."""
    items: int | None
    error_class: str | None
    message: str | None
    superseded_by: str | None
    requested_at: datetime
    requested_by: str
    ended_at: datetime | None
    links: dict[str, str] = {}


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """What the model said to one item of the benchmark's dataset."""

    index: int
    """Its place in the dataset, from 0."""
    prediction: dict[str, Any]
    """The fields that the recipe wrote."""


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    digest: str
    position: int
    version: int
    name: str
    format: str
    items: int
    size_bytes: int
    source: Generated | Uploaded
    statistics: dict[str, Number]
    description: str
    registered_at: datetime
    registered_by: str
    links: dict[str, str] = {}


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    benchmark_id: str
    position: int
    version: int
    name: str
    dataset: str
    scorer: str
    scorer_version: int
    direction: Direction
    tolerance: float
    baseline: str | None
    """The evaluation that others are compared with."""
    defined_at: datetime
    defined_by: str


class RecipeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe that a worker which is there now can run."""

    name: str
    version: int
    digest: str
    description: str
    devices: list[str]
    schema: JsonObject
    """JSON Schema (2020-12) of the spec's values."""
    presets: dict[str, JsonObject]
    scorers: list[str]
    """Names of the scorers that its benchmarks may have."""
    workers: list[str]


class ScorerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A scorer that some worker has announced."""

    name: str
    version: int
    digest: str
    direction: Direction | None
    """Which way is better, where that does not depend on the benchmark."""
    description: str
    recipes: list[str]
    """The recipes whose benchmarks may have it."""


class ConsumerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """A consumer of the log: how far it is, and what stopped it if something did."""

    name: str
    position: int
    lag: int
    stopped: str | None = None


class QuarantinedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that MLflow would not have; it is tried again when it changes, and now and then."""

    run_id: str
    reason: str
    failures: int
    retry_at: datetime | None


class MlflowHealth(ConsumerHealth, frozen=True, kw_only=True):
    """The consumer that tells MLflow, and what MLflow would not have."""

    quarantined: list[QuarantinedRun] = []


class SealHealth(ConsumerHealth, frozen=True, kw_only=True):
    """The consumer that seals the log; `position` is how far the last seal reaches, made at `sealed_at`."""

    sealed_at: datetime | None


class WorkerHealth(msgspec.Struct, frozen=True, kw_only=True):
    worker_id: str
    state: str
    seen_at: datetime
    is_missing: bool


class LeaseHealth(msgspec.Struct, frozen=True, kw_only=True):
    stream: str
    attempt: int
    holder: str | None
    phase: str | None
    done: int | None
    total: int | None
    renewed_at: datetime
    expires_at: datetime


class Health(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["ok", "degraded"]
    problems: list[str]
    """What makes it degraded, one sentence each."""
    position: int
    projections: list[ConsumerHealth]
    mlflow: MlflowHealth | None
    """None before the sink has run for the first time."""
    seal: SealHealth
    workers: list[WorkerHealth]
    leases: list[LeaseHealth]
    queued: int


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["alive"] = "alive"


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["ready"] = "ready"
    position: int
