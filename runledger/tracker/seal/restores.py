"""Restores that were told: which seals outside of the database they explain."""

from __future__ import annotations

from collections.abc import Sequence

from runledger.tracker.envelope import to_micros
from runledger.tracker.events.log import LogRestored
from runledger.tracker.ids import log_stream
from runledger.tracker.seal.place import Name
from runledger.tracker.store.log import Log


def restores_of(log: Log) -> list[LogRestored]:
    events = (recorded.event for recorded in log.read(log_stream(log.log_id)))
    return [event for event in events if isinstance(event, LogRestored)]


def is_lost(name: Name, restores: Sequence[LogRestored]) -> bool:
    """A seal of what was there before a restore, and was gone after it."""
    return any(each.kept < name.size and name.sealed_at <= to_micros(each.lost_at) for each in restores)
