"""The events of `evaluation-<id>`: one checkpoint on one benchmark."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from runledger.tracker.events.base import Event, Score
from runledger.tracker.ids import Digest


class EvaluationRequested(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "EvaluationRequested"
    run_id: str
    step: int
    checkpoint: Digest
    benchmark_id: str
    requested_by: str


class EvaluationStarted(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "EvaluationStarted"
    attempt: int
    worker: str
    epoch: int


class EvaluationLost(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "EvaluationLost"
    attempt: int
    last_heartbeat_at: datetime | None


class EvaluationCompleted(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "EvaluationCompleted"
    attempt: int
    scores: tuple[Score, ...]
    predictions: Digest
    """A blob of JSON lines, one prediction an item, in the order of the benchmark's dataset."""
    items: int


class EvaluationFailed(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "EvaluationFailed"
    attempt: int | None
    error_class: str
    message: str


class EvaluationSuperseded(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "EvaluationSuperseded"
    by: str
    reason: str = ""


EvaluationEvent = (
    EvaluationRequested
    | EvaluationStarted
    | EvaluationLost
    | EvaluationCompleted
    | EvaluationFailed
    | EvaluationSuperseded
)
