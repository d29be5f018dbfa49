"""The events of `benchmark-<id>`: a held-out dataset, a scorer and a direction, and its baselines."""

from __future__ import annotations

from typing import ClassVar, Literal

from runledger.tracker.events.base import Event
from runledger.tracker.ids import Digest

Direction = Literal["minimize", "maximize"]


class BenchmarkDefined(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "BenchmarkDefined"
    name: str
    dataset: Digest
    scorer: str
    scorer_version: int
    direction: Direction
    tolerance: float = 0.0
    """Change in the wrong direction that is not called a regression, in units of the score."""


class BaselinePromoted(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "BaselinePromoted"
    evaluation_id: str
    previous: str | None
    """The evaluation that was the baseline until now."""
    evidence: dict[str, str] = {}
    reason: str


class BaselineWithdrawn(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "BaselineWithdrawn"
    evaluation_id: str
    reason: str


BenchmarkEvent = BenchmarkDefined | BaselinePromoted | BaselineWithdrawn
