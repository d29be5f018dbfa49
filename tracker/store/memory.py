"""A log in memory, for tests and experiments: the same promises, but for outliving the process.

There is no connection, so `within` is called with None; leases are the numbers in `epochs`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tracker import events
from tracker.envelope import GENESIS, Fence, NewEvent, Recorded, Write, chain_hash
from tracker.errors import Fenced, WrongExpectedVersion
from tracker.ids import Stream


class InMemoryLog:
    """Dense positions, expected versions, event ids that count once, several streams in one append."""

    def __init__(self, log_id: str = "in-memory", clock: Callable[[], datetime] | None = None) -> None:
        self.log_id = log_id
        self.epochs: dict[Stream, int] = {}
        """The epoch in which the lease on a stream is held."""
        self._clock = clock or (lambda: datetime.now(UTC))
        self._lock = threading.RLock()
        self._rows: list[Recorded] = []
        self._streams: dict[Stream, list[Recorded]] = {}
        self._ids: dict[UUID, Recorded] = {}

    def append(
        self,
        *writes: Write,
        fence: Fence | None = None,
        within: Callable[[Any], None] | None = None,
    ) -> int:
        """All writes or none. Raises `Fenced` and `WrongExpectedVersion`."""
        with self._lock:
            if fence is not None and self.epochs.get(fence.stream) != fence.epoch:
                raise Fenced(fence.stream, fence.epoch)
            repeated = self._repeated(writes)
            if repeated is not None:
                return repeated
            for write in writes:
                self._check_version(write)
            if within is not None:
                within(None)
            for write in writes:
                self._keep(write)
            return self.head()

    def read(self, stream: Stream, *, after: int = 0, limit: int | None = None) -> list[Recorded]:
        """The stream's events with a version greater than `after`."""
        with self._lock:
            end = None if limit is None else after + limit
            return self._streams.get(stream, [])[after:end]

    def last(self, stream: Stream) -> Recorded | None:
        with self._lock:
            rows = self._streams.get(stream)
            return rows[-1] if rows else None

    def event(self, event_id: UUID) -> Recorded | None:
        with self._lock:
            return self._ids.get(event_id)

    def head(self) -> int:
        with self._lock:
            return len(self._rows)

    def all(self) -> Sequence[Recorded]:
        """Every row by position."""
        with self._lock:
            return tuple(self._rows)

    def _repeated(self, writes: Sequence[Write]) -> int | None:
        """The position of the last event when all of them are there already."""
        found = [self._ids.get(new.event_id) for write in writes for new in write.events]
        if not found or any(row is None for row in found):
            return None
        return max(row.position for row in found if row is not None)

    def _check_version(self, write: Write) -> None:
        actual = len(self._streams.get(write.stream, []))
        if actual != write.expected_version:
            raise WrongExpectedVersion(write.stream, write.expected_version, actual)

    def _keep(self, write: Write) -> None:
        for offset, new in enumerate(write.events):
            row = self._row(write, offset, new)
            self._rows.append(row)
            self._streams.setdefault(write.stream, []).append(row)
            self._ids[row.event_id] = row

    def _row(self, write: Write, offset: int, new: NewEvent) -> Recorded:
        before = self.last(write.stream)
        prev_hash = before.hash if before else GENESIS
        payload = events.encode(new.event)
        schema = new.event.schema
        return Recorded(
            position=len(self._rows) + 1,
            stream=write.stream,
            version=write.expected_version + 1 + offset,
            event_id=new.event_id,
            type=new.event.tag,
            schema=schema,
            recorded_at=max(self._clock(), self._rows[-1].recorded_at) if self._rows else self._clock(),
            occurred_at=new.occurred_at,
            actor=new.metadata.actor,
            correlation_id=new.metadata.correlation_id,
            causation_id=new.metadata.causation_id,
            payload=payload,
            prev_hash=prev_hash,
            hash=chain_hash(self.log_id, write, offset, schema, payload, prev_hash),
        )
