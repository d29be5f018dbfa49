"""The answers about runs: frozen Structs, ready to be encoded."""

from __future__ import annotations

from datetime import datetime

import msgspec

from runledger.tracker.events.base import Covers, ForkPoint, ResumePoint
from runledger.tracker.events.run import RunEnvironmentRecorded
from runledger.tracker.spec import DeviceRequest, Limits, RunSpec, Scalar


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    reason: str
    error_class: str
    message: str
    last_lines: tuple[str, ...]


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A run as a list shows it. `position` is that of its request and the key for paging."""

    run_id: str
    position: int
    version: int
    experiment_id: str
    name: str
    status: str
    recipe: str
    attempt: int
    """The one that executes, waits for a worker, or came last."""
    step: int | None
    """Of the last checkpoint, or at which the run ended."""
    priority: int
    external: bool
    hidden: bool
    tags: dict[str, str]
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    updated_at: datetime
    ended_at: datetime | None


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    runs: tuple[RunSummary, ...]
    next: int | None
    """Pass it as `after` for the following page; None: this is the last."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    attempt: int
    worker: str
    epoch: int
    resumed_from: ResumePoint | None
    started_at: datetime
    ended_at: datetime | None
    ending: str | None
    environment: RunEnvironmentRecorded | None


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    attempt: int
    step: int
    digest: str
    size_bytes: int
    loss: float | None
    covers: Covers
    position: int
    saved_at: datetime
    deleted_at: datetime | None
    deleted_by: str | None
    """The policy that deleted it."""


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    attempt: int
    digest: str
    size_bytes: int
    media_type: str
    position: int
    recorded_at: datetime


class RunView(RunSummary, frozen=True, kw_only=True):
    """A run whole, but for its curves, logs and evaluations."""

    note: str
    spec: RunSpec
    params: dict[str, Scalar]
    limits: Limits
    device: DeviceRequest
    worker_labels: dict[str, str]
    forked_from: ForkPoint | None
    attempts: tuple[Attempt, ...]
    failure: Failure | None
    final_metrics: dict[str, float]
