"""The events of `run-<id>`: a run's life, in the user's words. Tens of them, never telemetry."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from msgspec import UNSET, UnsetType

from runledger.tracker.events.base import Covers, Event, ForkPoint, ResumePoint, Score
from runledger.tracker.ids import Digest
from runledger.tracker.spec import DeviceRequest, Limits, RunSpec, Scalar

FailureReason = Literal["error", "diverged", "out-of-memory", "timed-out", "no-progress", "worker-lost"]


class RunRequested(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunRequested"
    experiment_id: str
    name: str
    spec: RunSpec
    tags: dict[str, str] = {}
    priority: int = 0
    """Higher is claimed first."""
    limits: Limits = Limits()
    device: DeviceRequest = DeviceRequest()
    worker_labels: dict[str, str] = {}
    forked_from: ForkPoint | None = None
    external: bool = False
    """Executed elsewhere and reported over REST; never dispatched to our workers."""
    requested_by: str


class RunStarted(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunStarted"
    attempt: int
    worker: str
    epoch: int
    resumed_from: ResumePoint | None = None


class RunEnvironmentRecorded(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunEnvironmentRecorded"
    attempt: int
    versions: dict[str, str]
    devices: tuple[str, ...]
    flags: dict[str, str] = {}
    seed: int | None = None
    code_revision: str | None = None
    code_diff_digest: Digest | None = None
    lock_digest: Digest | None = None
    dataset_digest: Digest | None = None
    resume: Literal["exact", "changed"] | None = None
    """None for an attempt that starts from nothing."""
    changed: tuple[str, ...] = ()
    """Names of the fields that differ from the attempt that saved the checkpoint."""


class RunParamsRecorded(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunParamsRecorded"
    params: dict[str, Scalar]


class RunCheckpointed(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunCheckpointed"
    attempt: int
    step: int
    digest: Digest
    size_bytes: int
    loss: float | None = None
    covers: Covers


class RunCheckpointDeleted(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunCheckpointDeleted"
    attempt: int
    step: int
    digest: Digest
    policy: str


class RunArtifactRecorded(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunArtifactRecorded"
    attempt: int
    path: str
    """Relative, with forward slashes: the name under which people find it, never a place on a disk."""
    digest: Digest
    size_bytes: int
    media_type: str = "application/octet-stream"


class RunEvaluated(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunEvaluated"
    attempt: int
    step: int
    benchmark_id: str
    evaluation_id: str
    scores: tuple[Score, ...]


class RunCancellationRequested(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunCancellationRequested"
    reason: str = ""


class RunCancelled(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunCancelled"
    attempt: int | None = None
    """None where it was cancelled before it ever started."""
    step: int | None = None
    checkpoint: Digest | None = None


class RunPauseRequested(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunPauseRequested"
    reason: str = ""


class RunPaused(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunPaused"
    attempt: int | None = None
    step: int | None = None
    checkpoint: Digest | None = None


class RunResumed(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunResumed"
    attempt: int
    """The attempt that will execute next."""
    reason: str = ""


class RunAttemptLost(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunAttemptLost"
    attempt: int
    last_heartbeat_at: datetime | None
    resume_point: ResumePoint | None
    message: str | UnsetType = UNSET
    """What its own worker knows of the end of its process; absent where the worker was silent."""
    last_lines: tuple[str, ...] | UnsetType = UNSET


class RunAttemptReturned(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunAttemptReturned"
    attempt: int
    """The one that was thought lost; no later one has started."""
    worker: str
    epoch: int
    """In which it holds the lease again."""


class RunPreempted(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunPreempted"
    attempt: int
    signal: str
    step: int | None = None
    checkpoint: Digest | None = None


class RunRetried(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunRetried"
    attempt: int
    """The attempt that will execute next."""
    why: Literal["failure", "loss", "preemption", "demand"]


class RunCompleted(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunCompleted"
    attempt: int
    step: int | None = None
    metrics: dict[str, float] = {}


class RunFailed(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunFailed"
    attempt: int | None = None
    reason: FailureReason
    error_class: str = ""
    message: str = ""
    last_lines: tuple[str, ...] = ()


class RunRenamed(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunRenamed"
    name: str


class RunTagged(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunTagged"
    added: dict[str, str] = {}
    removed: tuple[str, ...] = ()


class RunNoted(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunNoted"
    note: str


class RunHidden(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunHidden"
    reason: str = ""


class RunShown(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "RunShown"
    reason: str = ""


RunEvent = (
    RunRequested
    | RunStarted
    | RunEnvironmentRecorded
    | RunParamsRecorded
    | RunCheckpointed
    | RunCheckpointDeleted
    | RunArtifactRecorded
    | RunEvaluated
    | RunCancellationRequested
    | RunCancelled
    | RunPauseRequested
    | RunPaused
    | RunResumed
    | RunAttemptLost
    | RunAttemptReturned
    | RunPreempted
    | RunRetried
    | RunCompleted
    | RunFailed
    | RunRenamed
    | RunTagged
    | RunNoted
    | RunHidden
    | RunShown
)
