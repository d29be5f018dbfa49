"""The points of a run as they lie in the rows, and which of them are effective."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, func, select

from runledger.projections.metrics import tables
from runledger.projections.metrics.points import Batch, Marks, Points, put_together, put_together_of_key
from runledger.projections.metrics.segments import batch_of, unpack
from runledger.projections.rows import Row
from runledger.tracker.effective import NOTHING, cut
from runledger.tracker.events.base import Covers, ResumePoint
from runledger.tracker.ids import Digest

Cuts: TypeAlias = Mapping[int, Covers | None]

BLOCKS_AT_ONCE = 16
BLOCKS_OF_KEY_AT_ONCE = 256


def cuts_of(attempts: Iterable[Row], checkpoints: Iterable[Row]) -> dict[int, Covers | None]:
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


def read_rows(conn: Connection, table: Table, run_id: str, as_of: int | None = None) -> list[Row]:
    query = select(table).where(table.c.run_id == run_id).order_by(table.c.position)
    if as_of is not None:
        query = query.where(table.c.position <= as_of)
    return [dict(row) for row in conn.execute(query).mappings()]


def read_points(
    conn: Connection,
    run_id: str,
    *,
    key: str | None = None,
    as_of: int | None = None,
    attempts: Collection[int] | None = None,
) -> Iterator[tuple[int, Points]]:
    """All points of a run, or of one of its keys, with their attempt: a few blocks at a time.

    They come attempt after attempt, and those of a key in the order in which they were logged. `as_of`
    leaves out what came later, `attempts` all others.
    """
    for attempt in _attempts(conn, run_id):
        if attempts is not None and attempt not in attempts:
            continue
        # Batches first: a block that is put together meanwhile is seen both ways, its batches are left out.
        newest = read_batches(conn, run_id, attempt)
        last = _last_block(conn, run_id, attempt)
        for points in _segments(conn, run_id, attempt, last, key, as_of):
            yield attempt, points
        batches = [batch for batch in newest if tables.block_of(batch.version) > last]
        points = put_together(batches) if key is None else put_together_of_key(batches, key)
        yield attempt, _seen(points, as_of)


def read_batches(conn: Connection, run_id: str, attempt: int) -> list[Batch]:
    """Those that still lie as they came: an attempt with any telemetry has some."""
    table = tables.batches
    query = select(table).where(table.c.run_id == run_id, table.c.attempt == attempt)
    return [batch_of(dict(row)) for row in conn.execute(query.order_by(table.c.version)).mappings()]


def effective(points: Points, limit: Covers | None) -> Marks:
    """Which of the points of an attempt lie inside `limit`; None is all of it."""
    if limit is None:
        limit = Covers(version=int(points.versions.max(initial=0)) + 1, offset=0)
    version = points.versions[points.batch]
    marked: Marks = (version < limit.version) | ((version == limit.version) & (points.place < limit.offset))
    return marked


def counting(cuts: Cuts) -> set[int]:
    """The attempts that may have effective points."""
    return {attempt for attempt, limit in cuts.items() if limit != NOTHING}


def limit_of(cuts: Cuts, attempt: int) -> Covers | None:
    """Nothing of an attempt that never started."""
    return cuts.get(attempt, NOTHING)


def _attempts(conn: Connection, run_id: str) -> list[int]:
    """Those with any telemetry."""
    attempt = tables.batches.c.attempt
    query = select(attempt).where(tables.batches.c.run_id == run_id).distinct().order_by(attempt)
    return list(conn.scalars(query))


def _segments(
    conn: Connection, run_id: str, attempt: int, last: int, key: str | None, as_of: int | None
) -> Iterator[Points]:
    table = tables.segments
    of_attempt = (table.c.run_id == run_id, table.c.attempt == attempt)
    query = select(table.c["keys"], table.c.points).where(*of_attempt)
    if key is not None:
        query = query.where(table.c.first_key <= key, table.c.last_key >= key)
    step = BLOCKS_AT_ONCE if key is None else BLOCKS_OF_KEY_AT_ONCE
    for block in range(0, last + 1, step):
        some = query.where(table.c.block.between(block, min(last, block + step - 1)))
        for row in conn.execute(some.order_by(table.c.block, table.c.place)).mappings():
            points = unpack(dict(row))
            yield _seen(points if key is None else points.of_key(key), as_of)


def _seen(points: Points, as_of: int | None) -> Points:
    """Those of positions up to `as_of`."""
    if as_of is None or int(points.positions.max(initial=0)) <= as_of:
        return points
    return points.where(points.positions[points.batch] <= as_of)


def _last_block(conn: Connection, run_id: str, attempt: int) -> int:
    """The last one that is cut into segments; -1 where none is."""
    table = tables.segments
    query = select(func.max(table.c.block)).where(table.c.run_id == run_id, table.c.attempt == attempt)
    last: int | None = conn.scalar(query)
    return -1 if last is None else last


def _resumed_from(row: Mapping[str, Any]) -> ResumePoint | None:
    if row["resumed_attempt"] is None:
        return None
    return ResumePoint(
        attempt=row["resumed_attempt"], step=row["resumed_step"], digest=Digest(row["resumed_digest"])
    )
