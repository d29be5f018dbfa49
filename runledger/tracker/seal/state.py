"""Up to where the log is sealed, for health and for people; reads two rows, and loads no cryptography."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, select

from runledger.tracker.envelope import from_micros
from runledger.tracker.store.tables import head, sealing, seals


class SealState(msgspec.Struct, frozen=True, kw_only=True):
    """Up to where a log that stands at `head` is sealed, and whether that goes on."""

    head: int
    size: int
    sealed_at: datetime | None
    problem: str | None
    since: datetime | None

    @property
    def words(self) -> str:
        """For people."""
        behind = self.head - self.size
        more = f", {behind} newer events are not sealed" if behind > 0 else ""
        stopped = "" if self.problem is None else f"; it stopped at {self.since:%Y-%m-%d %H:%M:%S} UTC: "
        if self.sealed_at is None:
            return f"nothing is sealed yet of {self.head} events{stopped}{self.problem or ''}"
        sealed = f"sealed up to {self.size} at {self.sealed_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"{sealed}{more}{stopped}{self.problem or ''}"


def seal_state(conn: Connection) -> SealState:
    last = conn.execute(
        select(seals.c.size, seals.c.sealed_at).order_by(seals.c.size.desc()).limit(1)
    ).one_or_none()
    stopped = conn.execute(select(sealing)).one_or_none()
    return SealState(
        head=conn.execute(select(head.c.position)).scalar_one(),
        size=0 if last is None else last.size,
        sealed_at=None if last is None else from_micros(last.sealed_at),
        problem=None if stopped is None else stopped.problem,
        since=None if stopped is None else from_micros(stopped.since),
    )
