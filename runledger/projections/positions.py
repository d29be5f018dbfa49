"""How far each projection has come: for health, and for those who wait to read their own writes."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Engine, select

from runledger.projections.builds import active, cursor_in
from runledger.projections.catalogue import PROJECTIONS, find
from runledger.projections.errors import NotCaughtUp
from runledger.projections.rows import Row
from runledger.projections.tables import activations, cursors, stoppages
from runledger.tracker.envelope import from_micros
from runledger.tracker.store.engine import read
from runledger.tracker.store.log import Log

POLL_SECONDS = 0.01


class Stoppage(msgspec.Struct, frozen=True, kw_only=True):
    """The event before which a projection stopped, and why."""

    position: int
    event_id: str
    event_type: str
    problem: str
    recorded_at: datetime
    """When the log took the event in."""


class ProjectionStatus(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    version: int
    """The version whose tables answer."""
    position: int
    lag: int
    """How many positions of the log it has not looked at yet."""
    stopped: Stoppage | None


def position(conn: Connection, name: str) -> int:
    """Up to which position of the log the projection's rows account for everything."""
    return positions(conn)[name]


def positions(conn: Connection) -> dict[str, int]:
    """Of the builds that answer."""
    builds = active(conn)
    found = {row.name: row.position for row in conn.execute(select(cursors))}
    return {each.name: found.get(cursor_in(builds, each), 0) for each in PROJECTIONS}


def lag(conn: Connection, log: Log) -> dict[str, int]:
    """How many positions each projection is behind the log."""
    return {each.name: each.lag for each in status(conn, log.head())}


def status(conn: Connection, head: int) -> tuple[ProjectionStatus, ...]:
    """Of every projection, for a log that stands at `head`."""
    reached = positions(conn)
    versions = {row.projection: row.version for row in conn.execute(select(activations))}
    stopped = {row["cursor"]: _stoppage(dict(row)) for row in conn.execute(select(stoppages)).mappings()}
    return tuple(
        ProjectionStatus(
            name=each.name,
            version=versions.get(each.name, each.version),
            position=reached[each.name],
            lag=max(0, head - reached[each.name]),
            stopped=stopped.get(each.cursor),
        )
        for each in PROJECTIONS
    )


def wait_for(
    views: Engine, position: int, timeout_seconds: float, names: Collection[str] | None = None
) -> None:
    """Returns once the projections, all or those named, account for `position`.

    Raises `NotCaughtUp` with the position of the slowest when the time is up.
    """
    wanted = [find(name).name for name in names or [each.name for each in PROJECTIONS]]
    deadline = time.monotonic() + timeout_seconds
    while True:
        with read(views) as conn:
            reached = positions(conn)
        slowest = min(wanted, key=reached.__getitem__)
        if reached[slowest] >= position:
            return
        if time.monotonic() >= deadline:
            raise NotCaughtUp(slowest, position, reached[slowest])
        time.sleep(POLL_SECONDS)


def _stoppage(row: Row) -> Stoppage:
    return Stoppage(
        position=row["position"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        problem=row["problem"],
        recorded_at=from_micros(row["recorded_at"]),
    )
