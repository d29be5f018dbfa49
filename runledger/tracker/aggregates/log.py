"""The log as an aggregate of its own: when it was replaced by an older copy of itself, and why."""

from __future__ import annotations

from datetime import datetime

import msgspec

from runledger.tracker.errors import BadInput
from runledger.tracker.events.log import LogEvent, LogRestored


class RecordRestore(msgspec.Struct, frozen=True, kw_only=True):
    """What `LogRestored` says."""

    log_id: str
    reason: str
    kept: int
    lost_size: int
    lost_root: str
    lost_at: datetime


Command = RecordRestore


class LogLife(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    restores: tuple[LogRestored, ...]


def decide(state: LogLife | None, command: Command) -> tuple[LogEvent, ...]:
    """Nothing where it was said already. Raises `BadInput` without a reason."""
    if not command.reason.strip():
        raise BadInput("$.reason", "must not be empty")
    known = state.restores if state else ()
    if any((each.lost_root, each.lost_at) == (command.lost_root, command.lost_at) for each in known):
        return ()
    return (
        LogRestored(
            reason=command.reason,
            kept=command.kept,
            lost_size=command.lost_size,
            lost_root=command.lost_root,
            lost_at=command.lost_at,
        ),
    )


def evolve(state: LogLife | None, event: LogEvent) -> LogLife:
    if state is None:
        return LogLife(version=1, restores=(event,))
    return LogLife(version=state.version + 1, restores=(*state.restores, event))
