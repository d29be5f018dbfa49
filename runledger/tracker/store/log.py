"""The log: append, read, tail, head. Nothing else writes events.

Positions are dense, begin at 1, and are in commit order: whoever reads on from a position misses
nothing. Appends of one process share commits (`writer`); how they get in is the `committer`'s affair.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, and_, false, or_, select, true
from sqlalchemy.exc import OperationalError, ProgrammingError

from runledger.tracker.envelope import Fence, Recorded, Write, from_micros
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.appends import Append, prepare
from runledger.tracker.store.commit import read_tips
from runledger.tracker.store.committer import Committer
from runledger.tracker.store.direct import Readers, Rows
from runledger.tracker.store.engine import is_postgresql, read, target_of
from runledger.tracker.store.statements import HEAD, READ_ON_POSTGRESQL, READ_ON_SQLITE
from runledger.tracker.store.tables import events, head, log_info
from runledger.tracker.store.writer import Writer

PAGE_EVENTS = 5_000
PAGE_BYTES = 32 * 1024 * 1024
"""A page ends early once its payloads come to this."""
FETCH_EVENTS = 1_000
SCAN_POSITIONS = 100_000
"""How far a filtered page looks for events of its kinds."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Events in the order of their positions; all positions up to `scanned` were looked at."""

    events: list[Recorded]
    scanned: int


class Log:
    """Safe to share between threads. Raises `StoreUnavailable` where the database is out of reach."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.log_id = _read_log_id(engine)
        self._committer = Committer(engine, self.log_id)
        self._writer = Writer(target_of(engine), self._committer.commit, self._committer.close)
        self._readers = Readers(engine)
        self._is_postgresql = is_postgresql(engine)
        self._read_stream = READ_ON_POSTGRESQL if self._is_postgresql else READ_ON_SQLITE

    def append(
        self,
        *writes: Write,
        fence: Fence | None = None,
        within: Callable[[Connection], None] | None = None,
    ) -> int:
        """All events of all `writes`, in one transaction; the position of the last.

        `within` runs in that transaction before the insert; what it raises refuses the append. Events that
        are in the log already, by their ids, are success. Raises `WrongExpectedVersion`, `Fenced`,
        `EventIdTaken`, `StoreUnavailable`.
        """
        return self.put(prepare(writes, fence), within)

    def append_soon(
        self, *writes: Write, fence: Fence | None = None, room_seconds: float | None = None
    ) -> Future[int]:
        """The same, answered later; sent off in the order of the calls."""
        return self._writer.submit(prepare(writes, fence), room_seconds)

    def put(self, append: Append, within: Callable[[Connection], None] | None = None) -> int:
        """`append` for what is prepared already."""
        if within is None:
            return self._writer.write(append)
        self._writer.check_process()
        return self._committer.commit_within(append, within)

    def read(self, stream: str, *, after: int = 0, limit: int | None = None) -> list[Recorded]:
        """The stream's events behind the version `after`."""
        self._writer.check_process()
        statement = self._read_stream if limit is None else f"{self._read_stream} LIMIT {limit:d}"
        return [_recorded(row) for row in self._readers.fetch(statement, (stream, after))]

    def read_on(self, stream: str, version: int, event_id: UUID) -> list[Recorded] | None:
        """What follows in the stream on this very event, at this version; None where it is not there."""
        self._writer.check_process()
        parameters = (stream, version - 1)
        rows = None if self._is_postgresql else self._writer.alone(self._read_beside, parameters)
        if rows is None:
            rows = self._readers.fetch(self._read_stream, parameters)
        if not rows or rows[0][3] != (event_id if self._is_postgresql else event_id.hex):
            return None
        return [_recorded(row) for row in rows[1:]]

    def read_backwards(self, stream: str, *, before: int | None = None, limit: int = 1) -> list[Recorded]:
        """The last events of the stream (below the version `before`), newest first."""
        statement = select(events).where(events.c.stream == stream)
        if before is not None:
            statement = statement.where(events.c.version < before)
        with read(self.engine) as conn:
            newest = conn.execute(statement.order_by(events.c.version.desc()).limit(limit))
            return [_recorded(row) for row in newest]

    def last(self, stream: str) -> Recorded | None:
        """The newest event of the stream."""
        return next(iter(self.read_backwards(stream)), None)

    def version(self, stream: str) -> int:
        """Of the newest event; 0 for a stream without events."""
        with read(self.engine) as conn:
            tip = read_tips(conn, [stream]).get(stream)
        return tip.version if tip else 0

    def tail(self, after: int, *, limit: int = PAGE_EVENTS, kinds: Collection[str] | None = None) -> Page:
        """What follows the position `after`, of all streams or of some kinds (`run`, `telemetry`)."""
        with read(self.engine) as conn:
            # The head first: what is below it is committed, so the second statement sees all of it.
            until = conn.execute(select(head.c.position)).scalar_one()
            if kinds is not None:
                until = min(until, after + SCAN_POSITIONS)
            return _page(conn, after, until, limit, _of_kinds(kinds))

    def head(self) -> int:
        """The last position; 0 for an empty log."""
        position: int = self._readers.fetch(HEAD, ())[0][0]
        return position

    def event(self, event_id: UUID) -> Recorded | None:
        with read(self.engine) as conn:
            row = conn.execute(select(events).where(events.c.event_id == event_id)).one_or_none()
        return None if row is None else _recorded(row)

    def _read_beside(self, parameters: tuple[str, int]) -> Rows | None:
        return self._committer.fetch(self._read_stream, parameters)

    def close(self) -> None:
        """Commit what is queued and stop the writer. The engine stays open: it is the caller's."""
        self._writer.close()
        if self._writer.is_own:
            self._readers.close()


def _read_log_id(engine: Engine) -> str:
    try:
        with read(engine) as conn:
            log_id: str = conn.execute(select(log_info.c.log_id)).scalar_one()
    except (ProgrammingError, OperationalError) as problem:
        raise StoreUnavailable(target_of(engine), "holds no ledger yet: run `runledger migrate`") from problem
    return log_id


def _of_kinds(kinds: Collection[str] | None) -> ColumnElement[bool]:
    """Streams `run-…` lie between `run-` and `run.`, in the order of bytes."""
    if kinds is None:
        return true()
    ranges = (and_(events.c.stream >= f"{kind}-", events.c.stream < f"{kind}.") for kind in sorted(kinds))
    return or_(false(), *ranges)


def _page(conn: Connection, after: int, until: int, limit: int, wanted: ColumnElement[bool]) -> Page:
    """Fetched in portions, so that memory is bounded by bytes as well as by events."""
    found: list[Recorded] = []
    size_bytes = 0
    last = after
    while len(found) < limit and size_bytes < PAGE_BYTES:
        portion = min(FETCH_EVENTS, limit - len(found))
        statement = select(events).where(events.c.position > last, events.c.position <= until, wanted)
        rows = conn.execute(statement.order_by(events.c.position).limit(portion)).all()
        found += [_recorded(row) for row in rows]
        size_bytes += sum(len(row.payload) for row in rows)
        if len(rows) < portion:
            return Page(events=found, scanned=max(after, until))
        last = rows[-1].position
    return Page(events=found, scanned=last)


def _recorded(row: Sequence[Any]) -> Recorded:
    """Unpacked at once: looking each column up by name takes twice as long, and rebuilds read them all."""
    (
        position,
        stream,
        version,
        event_id,
        tag,
        schema,
        recorded_at,
        occurred_at,
        actor,
        correlation_id,
        causation_id,
        prev_hash,
        digest,
        payload,
    ) = row
    return Recorded(
        position=position,
        stream=stream,
        version=version,
        event_id=_uuid(event_id),
        type=tag,
        schema=schema,
        recorded_at=from_micros(recorded_at),
        occurred_at=from_micros(occurred_at),
        actor=actor,
        correlation_id=correlation_id,
        causation_id=causation_id,
        payload=payload,
        prev_hash=prev_hash,
        hash=digest,
    )


def _uuid(stored: UUID | str) -> UUID:
    """SQLite keeps it as text."""
    return stored if isinstance(stored, UUID) else UUID(stored)
