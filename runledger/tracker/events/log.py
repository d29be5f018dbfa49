"""The events of `log-<log id>`: what happened to the log as a whole."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from runledger.tracker.events.base import Event


class LogRestored(Event, frozen=True, kw_only=True):
    """The database was replaced by an older copy of itself; seals that lie outside of it tell of more.

    They are those of more than `kept` events, made no later than `lost_at`.
    """

    tag: ClassVar[str] = "LogRestored"
    reason: str
    kept: int
    """Up to which position the last seal reaches that still holds; 0 where none does."""
    lost_size: int
    """How many events the newest seal covers that holds no more."""
    lost_root: str
    """Its root, in hexadecimal digits."""
    lost_at: datetime
    """When it was made."""


LogEvent = LogRestored
