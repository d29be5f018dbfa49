"""The events of `experiment-<id>`: a named group of runs."""

from __future__ import annotations

from typing import ClassVar

from runledger.tracker.events.base import Event


class ExperimentCreated(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "ExperimentCreated"
    name: str
    description: str = ""


class ExperimentRenamed(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "ExperimentRenamed"
    name: str


class ExperimentArchived(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "ExperimentArchived"
    reason: str = ""


class ExperimentRestored(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "ExperimentRestored"
    reason: str = ""


ExperimentEvent = ExperimentCreated | ExperimentRenamed | ExperimentArchived | ExperimentRestored
