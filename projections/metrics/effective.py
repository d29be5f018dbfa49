"""Which points of which chunks are effective, asked of the rows of the metrics projection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from sqlalchemy import Connection, Table, select

from projections.metrics import tables
from projections.metrics.points import Points, Summary, summarise, summary_of_row
from tracker.effective import NOTHING, cut, points_within
from tracker.events.base import Covers, ResumePoint
from tracker.ids import Digest

Cuts: TypeAlias = Mapping[int, Covers | None]

POINT_COLUMNS = ("place", "step", "time", "value")


def cuts_of(
    attempts: Iterable[Mapping[str, Any]], checkpoints: Iterable[Mapping[str, Any]]
) -> dict[int, Covers | None]:
    """How much of each attempt is effective, from the rows of one run in the order of positions."""
    return cut(
        {row["attempt"]: _resumed_from(row) for row in attempts},
        {
            ResumePoint(attempt=row["attempt"], step=row["step"], digest=row["digest"]): Covers(
                version=row["covers_version"], offset=row["covers_offset"]
            )
            for row in checkpoints
        },
    )


def read_cuts(conn: Connection, run_id: str, as_of: int | None) -> dict[int, Covers | None]:
    return cuts_of(
        read_rows(conn, tables.attempts, run_id, as_of),
        read_rows(conn, tables.checkpoints, run_id, as_of),
    )


def read_rows(conn: Connection, table: Table, run_id: str, as_of: int | None = None) -> list[dict[str, Any]]:
    return _read(conn, table.columns, table, run_id, as_of)


def read_chunks(conn: Connection, run_id: str, cuts: Cuts, as_of: int | None = None) -> list[dict[str, Any]]:
    """All chunks of a run; only those that a cut goes through with their points."""
    table = tables.chunks
    light = [column for column in table.columns if column.name not in POINT_COLUMNS]
    rows = _read(conn, light, table, run_id, as_of)
    whole: dict[tuple[int, int, str], dict[str, Any]] = {}
    for attempt, limit in cuts.items():
        if limit is not None and limit.offset:
            query = select(table).where(
                table.c.run_id == run_id, table.c.attempt == attempt, table.c.version == limit.version
            )
            whole |= {
                (attempt, limit.version, row["key"]): dict(row) for row in conn.execute(query).mappings()
            }
    return [whole.get((row["attempt"], row["version"], row["key"]), row) for row in rows]


def _read(
    conn: Connection, columns: Iterable[Any], table: Table, run_id: str, as_of: int | None
) -> list[dict[str, Any]]:
    query = select(*columns).where(table.c.run_id == run_id).order_by(table.c.position)
    if as_of is not None:
        query = query.where(table.c.position <= as_of)
    return [dict(row) for row in conn.execute(query).mappings()]


def reach(row: Mapping[str, Any], cuts: Cuts) -> int:
    """How many places of the chunk's batch are effective: beyond `last_place`, the whole chunk is."""
    return points_within(row["version"], row["last_place"] + 1, cuts.get(row["attempt"], NOTHING))


def summarise_chunks(rows: Iterable[Mapping[str, Any]], cuts: Cuts) -> dict[str, Summary]:
    """By key, over the effective points."""
    found: dict[str, Summary] = {}
    for row in sorted(rows, key=lambda row: (row["attempt"], row["version"])):
        part = _effective_part(row, cuts)
        if part is not None:
            before = found.get(row["key"])
            found[row["key"]] = part if before is None else before.then(part)
    return found


def points_of(row: Mapping[str, Any]) -> Points:
    return Points(
        place=np.frombuffer(row["place"], "<u4"),
        step=np.frombuffer(row["step"], "<i8"),
        time=np.frombuffer(row["time"], "<i8"),
        value=np.frombuffer(row["value"], "<f8"),
    )


def _effective_part(row: Mapping[str, Any], cuts: Cuts) -> Summary | None:
    places = reach(row, cuts)
    if places == 0:
        return None
    if places > row["last_place"]:
        return summary_of_row(row)
    points = points_of(row)
    count = int(np.searchsorted(points.place, places))
    return summarise(points.first(count)) if count else None


def _resumed_from(row: Mapping[str, Any]) -> ResumePoint | None:
    if row["resumed_attempt"] is None:
        return None
    return ResumePoint(
        attempt=row["resumed_attempt"], step=row["resumed_step"], digest=Digest(row["resumed_digest"])
    )
