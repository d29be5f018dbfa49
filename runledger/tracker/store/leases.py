"""Leases: who may execute an attempt, and say so in the log. One row per stream.

Each claim raises the stream's epoch, and a fact is appended under it (`Fence`), so a holder that was
taken over decides nothing any more. All times are the database's clock. Progress lies on the same row.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, case, select, update
from sqlalchemy.dialects import postgresql, sqlite

from runledger.tracker.envelope import from_micros
from runledger.tracker.ids import Stream
from runledger.tracker.store.engine import is_postgresql, write
from runledger.tracker.store.tables import leases, now_micros


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    stream: Stream
    attempt: int
    epoch: int
    holder: str | None
    expires_at: datetime
    renewed_at: datetime
    phase: str | None
    done: int | None
    total: int | None
    progressed_at: datetime


def claim(conn: Connection, stream: str, attempt: int, holder: str, ttl_seconds: float) -> int | None:
    """The new epoch, or None where the lease is held or a later attempt has had it."""
    dialect = postgresql if is_postgresql(conn.engine) else sqlite
    now = now_micros()
    taken = {
        "attempt": attempt,
        "holder": holder,
        "expires_at": now + _micros(ttl_seconds),
        "renewed_at": now,
        "progressed_at": now,
    }
    statement = (
        dialect.insert(leases)
        .values(stream=stream, epoch=1, **taken)
        .on_conflict_do_update(
            index_elements=["stream"],
            set_={**taken, "epoch": leases.c.epoch + 1, "phase": None, "done": None, "total": None},
            where=and_(~_held(), leases.c.attempt <= attempt),
        )
        .returning(leases.c.epoch)
    )
    epoch: int | None = conn.scalar(statement)
    return epoch


def renew(
    engine: Engine,
    stream: str,
    epoch: int,
    ttl_seconds: float,
    phase: str | None = None,
    done: int | None = None,
    total: int | None = None,
) -> bool:
    """Hold on for `ttl_seconds` more, and tell how far it is.

    False: the compare-and-set failed, somebody else has taken over or the lease was revoked. A lease that
    has merely expired can still be renewed.
    """
    now = now_micros()
    same = and_(
        *(leases.c[name].is_not_distinct_from(value) for name, value in _progress(phase, done, total))
    )
    statement = (
        update(leases)
        .where(leases.c.stream == stream, leases.c.epoch == epoch, leases.c.holder.is_not(None))
        .values(
            expires_at=now + _micros(ttl_seconds),
            renewed_at=now,
            progressed_at=case((same, leases.c.progressed_at), else_=now),
            phase=phase,
            done=done,
            total=total,
        )
    )
    with write(engine) as conn:
        return conn.execute(statement).rowcount == 1


def release(conn: Connection, stream: str, epoch: int) -> bool:
    """Give it back: free at once. False where it was not held in this epoch."""
    return _let_go(conn, stream, epoch, leases.c.epoch)


def revoke(conn: Connection, stream: str, epoch: int) -> bool:
    """Take it away: the next epoch begins and nobody holds it. False where it was not held in this epoch."""
    return _let_go(conn, stream, epoch, leases.c.epoch + 1)


def get(conn: Connection, stream: str) -> Lease | None:
    row = conn.execute(select(leases).where(leases.c.stream == stream)).one_or_none()
    return None if row is None else _lease(row)


def expired(conn: Connection) -> list[Lease]:
    """Held, but not renewed in time."""
    return _list(conn, and_(leases.c.holder.is_not(None), leases.c.expires_at <= now_micros()))


def active(conn: Connection) -> list[Lease]:
    """Held and in time."""
    return _list(conn, _held())


def _held() -> ColumnElement[bool]:
    return and_(leases.c.holder.is_not(None), leases.c.expires_at > now_micros())


def _progress(
    phase: str | None, done: int | None, total: int | None
) -> tuple[tuple[str, str | int | None], ...]:
    return (("phase", phase), ("done", done), ("total", total))


def _let_go(conn: Connection, stream: str, epoch: int, next_epoch: ColumnElement[int]) -> bool:
    statement = (
        update(leases)
        .where(leases.c.stream == stream, leases.c.epoch == epoch, leases.c.holder.is_not(None))
        .values(epoch=next_epoch, holder=None)
    )
    return conn.execute(statement).rowcount == 1


def _list(conn: Connection, where: ColumnElement[bool]) -> list[Lease]:
    return [_lease(row) for row in conn.execute(select(leases).where(where).order_by(leases.c.stream))]


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _lease(row: Row[tuple[object, ...]]) -> Lease:
    return Lease(
        stream=row.stream,
        attempt=row.attempt,
        epoch=row.epoch,
        holder=row.holder,
        expires_at=from_micros(row.expires_at),
        renewed_at=from_micros(row.renewed_at),
        phase=row.phase,
        done=row.done,
        total=row.total,
        progressed_at=from_micros(row.progressed_at),
    )
