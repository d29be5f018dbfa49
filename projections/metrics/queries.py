"""Questions about curves: the series of a key, and what its effective points come to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from projections.metrics import tables
from projections.metrics.downsample import LEAST, pick
from projections.metrics.effective import Cuts, reach, read_chunks, read_cuts, summarise_chunks
from projections.metrics.points import Floats, Ints, Summary, summary_of_row
from projections.tables import cursors
from tracker.errors import BadInput
from tracker.store.cursors import read_cursor


class MetricSummary(Summary, frozen=True, kw_only=True):
    key: str


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of points in the order in which they were logged, attempt after attempt."""

    key: str
    points: int
    """How many there are; fewer are shown where the curve was thinned out."""
    non_finite: int
    """How many of them are NaN or infinite."""
    step: tuple[int, ...]
    time: tuple[int, ...]
    """µs since 1970 UTC, the writer's clock."""
    value: tuple[float, ...]
    attempt: tuple[int, ...]


def keys(conn: Connection, run_id: str) -> tuple[str, ...]:
    """All keys that were ever logged, those with superseded points only among them."""
    query = select(tables.chunks.c.key).where(tables.chunks.c.run_id == run_id).distinct()
    return tuple(sorted(conn.scalars(query)))


def summaries(conn: Connection, run_id: str, as_of: int | None = None) -> tuple[MetricSummary, ...]:
    """Of the effective points, by key."""
    found = _summaries_now(conn, run_id) if as_of is None else _summaries_then(conn, run_id, as_of)
    return tuple(found[key] for key in sorted(found))


def summaries_of(
    conn: Connection, run_ids: Collection[str], keys: Collection[str] | None = None
) -> dict[str, dict[str, MetricSummary]]:
    """By run and key, for lists: one query whatever the runs have logged."""
    table = tables.summaries
    query = select(table).where(table.c.run_id.in_(run_ids))
    if keys is not None:
        query = query.where(table.c.key.in_(keys))
    found: dict[str, dict[str, MetricSummary]] = {run_id: {} for run_id in run_ids}
    for row in conn.execute(query).mappings():
        found[row["run_id"]][row["key"]] = _named(row["key"], summary_of_row(row))
    return found


def series(
    conn: Connection,
    run_id: str,
    key: str,
    *,
    max_points: int | None = 1000,
    superseded: bool = False,
    x: Literal["step", "time"] = "step",
    after_step: int | None = None,
    until_step: int | None = None,
    as_of: int | None = None,
) -> Series:
    """The effective points of a key, or the superseded ones; thinned out to `max_points` unless it is None.

    A key that was never logged has no points. Raises `BadInput` for fewer than ten `max_points`.
    """
    if max_points is not None and max_points < LEAST:
        raise BadInput("max_points", f"must be at least {LEAST}")
    # All tables as of one position, so that they fit without a common snapshot.
    columns = _read_columns(conn, run_id, key, superseded, _position(conn) if as_of is None else as_of)
    columns = _between(columns, after_step, until_step)
    value = columns["value"]
    shown = slice(None) if max_points is None else pick(columns[x], value, max_points)
    return Series(
        key=key,
        points=len(value),
        non_finite=len(value) - int(np.isfinite(value).sum()),
        **{name: tuple(column[shown].tolist()) for name, column in columns.items()},
    )


def _position(conn: Connection) -> int:
    return read_cursor(conn, cursors, tables.CURSOR)


def _summaries_now(conn: Connection, run_id: str) -> dict[str, MetricSummary]:
    return summaries_of(conn, [run_id])[run_id]


def _summaries_then(conn: Connection, run_id: str, as_of: int) -> dict[str, MetricSummary]:
    cuts = read_cuts(conn, run_id, as_of)
    found = summarise_chunks(read_chunks(conn, run_id, cuts, as_of), cuts)
    return {key: _named(key, summary) for key, summary in found.items()}


def _named(key: str, summary: Summary) -> MetricSummary:
    return MetricSummary(key=key, **msgspec.structs.asdict(summary))


def _read_columns(conn: Connection, run_id: str, key: str, superseded: bool, as_of: int) -> dict[str, Any]:
    table = tables.chunks
    wanted = [
        table.c[name] for name in ("attempt", "version", "last_place", "points", "step", "time", "value")
    ]
    query = (
        select(*wanted)
        .where(table.c.run_id == run_id, table.c.key == key, table.c.position <= as_of)
        .order_by(table.c.attempt, table.c.version)
    )
    cuts = read_cuts(conn, run_id, as_of)
    parts: list[tuple[Any, slice]] = []
    for row in map(dict, conn.execute(query).mappings()):
        count = _effective_count(conn, run_id, key, row, cuts)
        part = slice(count, row["points"]) if superseded else slice(0, count)
        if part.start < part.stop:
            parts.append((row, part))
    return {
        "step": _join(parts, "step", "<i8"),
        "time": _join(parts, "time", "<i8"),
        "value": _join(parts, "value", "<f8"),
        "attempt": np.repeat(
            np.array([row["attempt"] for row, _ in parts], np.int64),
            np.array([part.stop - part.start for _, part in parts], np.int64),
        ),
    }


def _effective_count(conn: Connection, run_id: str, key: str, row: Mapping[str, Any], cuts: Cuts) -> int:
    """How many points of the chunk are effective; the places are read only where the cut goes through it."""
    places = reach(row, cuts)
    if places > row["last_place"]:
        return int(row["points"])
    if places == 0:
        return 0
    table = tables.chunks
    blob = conn.scalar(
        select(table.c.place).where(
            table.c.run_id == run_id,
            table.c.key == key,
            table.c.attempt == row["attempt"],
            table.c.version == row["version"],
        )
    )
    return int(np.searchsorted(np.frombuffer(blob or b"", "<u4"), places))


def _join(parts: list[tuple[Any, slice]], name: str, dtype: str) -> Ints | Floats:
    """One array of the wanted part of each chunk; every column has eight bytes a point."""
    joined = b"".join(
        row[name] if part == slice(0, row["points"]) else row[name][8 * part.start : 8 * part.stop]
        for row, part in parts
    )
    return np.frombuffer(joined, dtype)


def _between(columns: dict[str, Any], after_step: int | None, until_step: int | None) -> dict[str, Any]:
    step = columns["step"]
    kept = np.ones(len(step), np.bool_)
    if after_step is not None:
        kept &= step > after_step
    if until_step is not None:
        kept &= step <= until_step
    return columns if kept.all() else {name: column[kept] for name, column in columns.items()}
