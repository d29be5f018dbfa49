"""The events of `sweep-<id>`: a search over specs whose trials are ordinary runs."""

from __future__ import annotations

from typing import ClassVar

from runledger.tracker.events.base import Event
from runledger.tracker.spec import JsonObject, Scalar


class SweepRequested(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "SweepRequested"
    experiment_id: str
    name: str
    space: JsonObject
    sampler: str
    pruner: str | None = None
    metric: str
    direction: str
    trials: int
    parallel: int = 1
    seed: int
    requested_by: str


class TrialProposed(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "TrialProposed"
    trial: int
    run_id: str
    params: dict[str, Scalar]


class TrialReported(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "TrialReported"
    trial: int
    step: int
    value: float


class TrialPruned(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "TrialPruned"
    trial: int
    step: int


class TrialCompleted(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "TrialCompleted"
    trial: int
    value: float


class TrialFailed(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "TrialFailed"
    trial: int
    reason: str


class SweepCompleted(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "SweepCompleted"
    best_trial: int | None


class SweepCancelled(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "SweepCancelled"
    reason: str = ""


SweepEvent = (
    SweepRequested
    | TrialProposed
    | TrialReported
    | TrialPruned
    | TrialCompleted
    | TrialFailed
    | SweepCompleted
    | SweepCancelled
)
