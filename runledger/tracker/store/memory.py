"""A log in memory, for tests and experiments: the same promises, but for outliving the process.

There is no connection, so `within` is called with None; leases are the numbers in `epochs`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from runledger.tracker.envelope import Fence, Recorded, Write, from_micros
from runledger.tracker.errors import Fenced
from runledger.tracker.ids import Stream, kind_of
from runledger.tracker.store.appends import Append, Row, Tip, chain, prepare
from runledger.tracker.store.commit import Place, position_of
from runledger.tracker.store.log import PAGE_EVENTS, Page


class InMemoryLog:
    """Safe to share between threads."""

    def __init__(self, log_id: str = "in-memory", clock: Callable[[], datetime] | None = None) -> None:
        self.log_id = log_id
        self.epochs: dict[Stream, int] = {}
        """The epoch in which the lease on a stream is held."""
        self._clock = clock or (lambda: datetime.now(UTC))
        self._lock = threading.RLock()
        self._rows: list[Recorded] = []
        self._streams: dict[str, list[Recorded]] = {}
        self._tips: dict[str, Tip] = {}
        self._places: dict[UUID, Place] = {}

    def append(
        self,
        *writes: Write,
        fence: Fence | None = None,
        within: Callable[[Any], None] | None = None,
    ) -> int:
        """As `Log.append`."""
        append = prepare(writes, fence)
        with self._lock:
            before = position_of(append, self._places)
            if before is not None:
                return before
            self._check_fence(append)
            tips = dict(self._tips)
            rows = chain(self.log_id, append, tips)
            if within is not None:
                within(None)
            self._tips = tips
            for row in rows:
                self._keep(row)
            return len(self._rows)

    def read(self, stream: str, *, after: int = 0, limit: int | None = None) -> list[Recorded]:
        """The stream's events behind the version `after`."""
        with self._lock:
            return self._streams.get(stream, [])[after : None if limit is None else after + limit]

    def read_on(self, stream: str, version: int, event_id: UUID) -> list[Recorded] | None:
        """What follows in the stream on this very event, at this version; None where it is not there."""
        rows = self.read(stream, after=version - 1)
        return rows[1:] if rows and rows[0].event_id == event_id else None

    def last(self, stream: str) -> Recorded | None:
        """The newest event of the stream."""
        return next(iter(self.read(stream)[-1:]), None)

    def version(self, stream: str) -> int:
        """Of the newest event; 0 for a stream without events."""
        return len(self.read(stream))

    def tail(self, after: int, *, limit: int = PAGE_EVENTS, kinds: Collection[str] | None = None) -> Page:
        """What follows the position `after`, of all streams or of some kinds."""
        with self._lock:
            rows = self._rows[after:]
        found = [row for row in rows if kinds is None or kind_of(row.stream) in kinds][:limit]
        is_whole = len(found) < limit
        return Page(events=found, scanned=after + len(rows) if is_whole else found[-1].position)

    def head(self) -> int:
        """The last position; 0 for an empty log."""
        with self._lock:
            return len(self._rows)

    def event(self, event_id: UUID) -> Recorded | None:
        with self._lock:
            place = self._places.get(event_id)
            return None if place is None else self._rows[place[1] - 1]

    def _check_fence(self, append: Append) -> None:
        fence = append.fence
        if fence is not None and self.epochs.get(fence.stream) != fence.epoch:
            raise Fenced(fence.stream, fence.epoch)

    def _keep(self, row: Row) -> None:
        now = self._clock()
        recorded = Recorded(
            position=len(self._rows) + 1,
            recorded_at=max(now, self._rows[-1].recorded_at) if self._rows else now,
            **{**row._asdict(), "occurred_at": from_micros(row.occurred_at)},
        )
        self._rows.append(recorded)
        self._streams.setdefault(row.stream, []).append(recorded)
        self._places[row.event_id] = (row.stream, recorded.position)
