"""Restores that were told: which seals outside of the database they explain."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Engine

from runledger.tracker import events
from runledger.tracker.envelope import to_micros
from runledger.tracker.errors import UnknownEvent
from runledger.tracker.events.base import Event
from runledger.tracker.events.log import LogRestored
from runledger.tracker.ids import log_stream
from runledger.tracker.seal.place import Name
from runledger.tracker.seal.rawlog import RawLog
from runledger.tracker.seal.rowcheck import LogRow


def restores_of(engine: Engine, log_id: str) -> list[LogRestored]:
    """What cannot be read explains nothing."""
    found = map(read_event, RawLog(engine).stream(log_stream(log_id)))
    return [event for event in found if isinstance(event, LogRestored)]


def read_event(row: LogRow) -> Event | None:
    """The event of a row in which anything may stand; None where it is none that we know."""
    try:
        return events.decode(row.type, row.schema, row.payload)
    except (UnknownEvent, msgspec.MsgspecError, TypeError, ValueError, LookupError):
        return None


def is_lost(name: Name, restores: Sequence[LogRestored]) -> bool:
    """A seal of what was there before a restore, and was gone after it."""
    return any(each.kept < name.size and name.sealed_at <= to_micros(each.lost_at) for each in restores)
