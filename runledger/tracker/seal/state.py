"""Up to where the log is sealed, for health and for people; reads two rows, and loads no cryptography."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, select

from runledger.tracker.envelope import from_micros
from runledger.tracker.store.tables import sealing, seals


class SealState(msgspec.Struct, frozen=True, kw_only=True):
    """Up to where the log is sealed, and whether that goes on."""

    size: int
    sealed_at: datetime | None
    problem: str | None
    since: datetime | None


def seal_state(conn: Connection) -> SealState:
    last = conn.execute(
        select(seals.c.size, seals.c.sealed_at).order_by(seals.c.size.desc()).limit(1)
    ).one_or_none()
    stopped = conn.execute(select(sealing)).one_or_none()
    return SealState(
        size=0 if last is None else last.size,
        sealed_at=None if last is None else from_micros(last.sealed_at),
        problem=None if stopped is None else stopped.problem,
        since=None if stopped is None else from_micros(stopped.since),
    )
