"""What one row of the log says of itself, and how it follows on the rows before it.

Values are checked to be of the type and in the form in which writers store them: a database that somebody
has been at work on may hold anything, and two forms of one value would share a hash.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from runledger.tracker.envelope import GENESIS, Metadata, hash_about, hash_event, hash_head

KEPT_STREAMS = 200_000
"""Streams whose ends are kept in memory; the others are looked up when they go on."""
LARGEST = 2**63


class LogRow(NamedTuple):
    """A row of the log as the driver gives it, in the order of the table's columns."""

    position: Any
    stream: Any
    version: Any
    event_id: Any
    type: Any
    schema: Any
    recorded_at: Any
    occurred_at: Any
    actor: Any
    correlation_id: Any
    causation_id: Any
    prev_hash: Any
    hash: Any
    payload: Any


LookUp = Callable[[str, int], tuple[int, bytes] | None]
"""Version and hash of the last event of a stream before a position."""


class Chains:
    """The ends of all streams so far, of bounded memory."""

    def __init__(self, log_id: str, look_up: LookUp, kept: int = KEPT_STREAMS) -> None:
        self._log_id = log_id
        self._look_up = look_up
        self._kept = kept
        self._tips: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self._has_forgotten = False

    def check(self, row: LogRow) -> str | None:
        """What is wrong with the row; None, and it is the new end of its stream, where nothing is."""
        problem = problem_of(row, self._log_id)
        if problem is not None:
            return problem
        version, digest = self._tip(row.stream, row.position)
        if row.version != version + 1:
            return f"version {row.version} of stream {row.stream} follows on version {version}"
        if row.prev_hash != digest:
            return f"it is not chained to version {version} of stream {row.stream}"
        self._tips[row.stream] = (row.version, row.hash)
        self._tips.move_to_end(row.stream)
        if len(self._tips) > self._kept:
            self._tips.popitem(last=False)
            self._has_forgotten = True
        return None

    def _tip(self, stream: str, position: int) -> tuple[int, bytes]:
        tip = self._tips.get(stream)
        if tip is None and self._has_forgotten:
            tip = self._look_up(stream, position)
        return tip or (0, GENESIS)


def problem_of(row: LogRow, log_id: str) -> str | None:
    """What is wrong with a row by itself: a value that no writer stores, or a hash that is another's."""
    column = _unusual(row)
    if column is not None:
        return f"{column} holds what no writer stores"
    metadata = Metadata(actor=row.actor, correlation_id=row.correlation_id, causation_id=row.causation_id)
    about = hash_about(row.type, row.schema, row.occurred_at, metadata)
    head = hash_head(log_id, row.stream)
    digest = hash_event(head, row.version, _uuid(row.event_id), about, row.payload, row.prev_hash)
    return None if digest == row.hash else "its contents are not those that were hashed"


def _unusual(row: LogRow) -> str | None:
    """The first column whose value is of another type or form."""
    numbers = ("version", row.version), ("schema", row.schema), ("occurred_at", row.occurred_at)
    for name, value in (*numbers, ("recorded_at", row.recorded_at)):
        if type(value) is not int or not -LARGEST <= value < LARGEST:
            return name
    for name, value in (("stream", row.stream), ("type", row.type), ("actor", row.actor)):
        if type(value) is not str or not _is_text(value):
            return name
    for name, value in (("correlation_id", row.correlation_id), ("causation_id", row.causation_id)):
        if value is not None and (type(value) is not str or not value or not _is_text(value)):
            return name
    for name, value in (("prev_hash", row.prev_hash), ("hash", row.hash), ("payload", row.payload)):
        if type(value) is not bytes:
            return name
    return None if _is_id(row.event_id) else "event_id"


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_id(value: Any) -> bool:
    """SQLite keeps an id as 32 digits."""
    if isinstance(value, UUID):
        return True
    return type(value) is str and len(value) == 32 and not value.strip("0123456789abcdef")


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(hex=value)
