"""What aggregates have come to, remembered, so that a decision folds only what is new to it.

Nothing here is believed. Either the append says which event it follows (`recent`), or the look-up reads the
stream on from the last event that is remembered, that one included. An event's id is appended once, behind
the events that stand before it, so where the same id stands there, the state is the fold of the whole stream.
Where it does not (the ledger was restored from a backup), the stream is read from its beginning.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec

from runledger.tracker.aggregates.registry import Aggregate
from runledger.tracker.envelope import Recorded
from runledger.tracker.ids import Stream

RECENT_SECONDS = 1.0
"""So long after a state was the whole stream, it is likely to be still."""
KEPT_STATES = 1_000
KEPT_BYTES = 16 * 1024 * 1024
"""Of the payloads that the kept states were folded from."""


class Reading(Protocol):
    """What is asked of a log here: the one of `tracker.store.log`, and the one in memory."""

    def read(self, stream: Stream) -> list[Recorded]:
        """All events of the stream."""

    def read_on(self, stream: Stream, version: int, event_id: UUID) -> list[Recorded] | None:
        """Those behind this very event, at this version; None where it is not there."""


class Folded(msgspec.Struct, frozen=True, gc=False):
    """A state, and the last event in it."""

    version: int
    event_id: UUID
    size_bytes: int
    state: Any
    """None for a stream without events."""
    known_at: float = 0.0
    """When it was known to be the whole stream, in seconds of a clock that nobody sets."""


NOTHING = Folded(0, UUID(int=0), 0, None)


class States:
    """The states used last, up to a bound. Safe to share between threads: states are never changed."""

    def __init__(self, log: Reading, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self.clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Stream, Folded] = {}
        self._kept_bytes = 0

    def recent(self, stream: Stream) -> Folded | None:
        """What it came to a moment ago, unread: for an append that says which event it follows."""
        kept = self._kept.get(stream)
        return kept if kept is not None and self.clock() - kept.known_at < RECENT_SECONDS else None

    def at(self, aggregate: Aggregate[Any], stream: Stream) -> Folded:
        """The fold of all events of the stream."""
        kept = self._kept.get(stream)
        folded = None if kept is None else self._go_on(aggregate, stream, kept)
        if folded is None:
            known_at = self.clock()
            folded = _fold(aggregate, NOTHING, self._log.read(stream), known_at)
        if folded is not kept and folded.version:
            self._keep(stream, folded)
        return folded

    def keep(self, stream: Stream, folded: Folded) -> None:
        """What a stream has come to that was just appended to, unless others have got further since."""
        kept = self._kept.get(stream)
        if kept is None or kept.version <= folded.version:
            self._keep(stream, folded)

    def _keep(self, stream: Stream, folded: Folded) -> None:
        with self._lock:
            gone = self._kept.pop(stream, NOTHING)
            self._kept[stream] = folded
            self._kept_bytes += folded.size_bytes - gone.size_bytes
            while len(self._kept) > KEPT_STATES or self._kept_bytes > KEPT_BYTES:
                self._kept_bytes -= self._kept.pop(next(iter(self._kept))).size_bytes

    def _go_on(self, aggregate: Aggregate[Any], stream: Stream, kept: Folded) -> Folded | None:
        """None where the stream is not the one that is remembered."""
        known_at = self.clock()
        recorded = self._log.read_on(stream, kept.version, kept.event_id)
        return None if recorded is None else _fold(aggregate, kept, recorded, known_at)


def _fold(aggregate: Aggregate[Any], before: Folded, recorded: Sequence[Recorded], known_at: float) -> Folded:
    if not recorded:
        return before
    state, size_bytes = before.state, before.size_bytes
    for each in recorded:
        state = aggregate.evolve(state, each.event)
        size_bytes += len(each.payload)
    return Folded(recorded[-1].version, recorded[-1].event_id, size_bytes, state, known_at)
