"""What a projection is: a name, a version, the streams it reads, and a fold from events to a write.

A fold reads the rows that a batch touches, changes them in memory and returns the write that stores
them; it never appends, calls out or reads a clock. What it leaves behind depends on the events alone,
not on how they were cut into batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
from sqlalchemy import Connection, Table

from runledger.projections.tables import cursor_of
from runledger.tracker.envelope import Recorded, to_micros
from runledger.tracker.events.base import Event


class Fact(msgspec.Struct, frozen=True, gc=False):
    """What a fold needs of a row of the log, with its payload decoded once for all who fold it."""

    position: int
    version: int
    stream: str
    kind: str
    subject: str
    """The id of the stream: a run's, a dataset's …"""
    at: int
    """When the log took the event in, in µs."""
    occurred_at: int
    """When it happened, by the clock of whoever told it, in µs."""
    actor: str
    event: Event


def fact_of(recorded: Recorded) -> Fact:
    """Raises `UnknownEvent`, and msgspec's error for a payload that cannot be read."""
    kind, _, subject = recorded.stream.partition("-")
    return Fact(
        position=recorded.position,
        version=recorded.version,
        stream=recorded.stream,
        kind=kind,
        subject=subject,
        at=to_micros(recorded.recorded_at),
        occurred_at=to_micros(recorded.occurred_at),
        actor=recorded.actor,
        event=recorded.event,
    )


Write: TypeAlias = Callable[[Connection], None]
Fold: TypeAlias = Callable[[Connection, Sequence[Fact]], Write]


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    version: int
    kinds: frozenset[str]
    """Kinds of the streams that it reads: `run`, `telemetry` …"""
    tables: tuple[Table, ...]
    fold: Fold

    @property
    def cursor(self) -> str:
        return cursor_of(self.name, self.version)
