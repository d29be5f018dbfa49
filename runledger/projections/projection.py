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
from runledger.tracker.ids import id_of, kind_of


class Fact(msgspec.Struct, frozen=True):
    """A row of the log with its payload decoded once for all who fold it."""

    recorded: Recorded
    event: Event

    @property
    def position(self) -> int:
        return self.recorded.position

    @property
    def version(self) -> int:
        return self.recorded.version

    @property
    def kind(self) -> str:
        return kind_of(self.recorded.stream)

    @property
    def subject(self) -> str:
        """The id of the stream: a run's, a dataset's …"""
        return id_of(self.recorded.stream)

    @property
    def at(self) -> int:
        """When the log took the event in, in µs."""
        return to_micros(self.recorded.recorded_at)


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
