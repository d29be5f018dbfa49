"""The events of `model-<id>`: a named line of versions and the aliases that point at them."""

from __future__ import annotations

from typing import ClassVar

from runledger.tracker.events.base import Event
from runledger.tracker.ids import Digest


class ModelCreated(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "ModelCreated"
    name: str
    description: str = ""


class ModelRenamed(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "ModelRenamed"
    name: str


class ModelVersionRegistered(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "ModelVersionRegistered"
    version: int
    checkpoint: Digest
    run_id: str
    step: int
    evaluations: tuple[str, ...] = ()


class AliasMoved(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "AliasMoved"
    alias: str
    from_version: int | None
    to_version: int | None
    """None takes the alias away."""
    evidence: dict[str, str] = {}
    reason: str


ModelEvent = ModelCreated | ModelRenamed | ModelVersionRegistered | AliasMoved
