"""Questions about curves: the series of a key, and what its effective points come to."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from runledger.projections.metrics import tables
from runledger.projections.metrics.downsample import LEAST, pick
from runledger.projections.metrics.effective import counting, effective, limit_of, read_cuts, read_points
from runledger.projections.metrics.summaries import Summary, summarise_effective, summary_of_row
from runledger.projections.naming import real_name
from runledger.projections.tables import cursors
from runledger.tracker.errors import BadInput
from runledger.tracker.store.cursors import read_cursor


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


class SummaryPage(msgspec.Struct, frozen=True, kw_only=True):
    summaries: tuple[MetricSummary, ...]
    next: str | None
    """The last key of the page, given as `after` for the next; None on the last."""


def has_key(conn: Connection, run_id: str, key: str, as_of: int | None = None) -> bool:
    """Whether it was ever logged, and be it in superseded points only."""
    return any(len(points) for _, points in read_points(conn, run_id, key=key, as_of=as_of))


def summaries(
    conn: Connection,
    run_id: str,
    as_of: int | None = None,
    *,
    after: str | None = None,
    limit: int = 1_000_000,
) -> tuple[MetricSummary, ...]:
    """Of the effective points, in the order of their keys: those behind the key `after`."""
    if as_of is None:
        return _summaries_now(conn, run_id, after, limit)
    return _summaries_then(conn, run_id, as_of, after, limit)


def summary_page(
    conn: Connection, run_id: str, as_of: int | None = None, *, after: str | None = None, limit: int
) -> SummaryPage:
    found = summaries(conn, run_id, as_of, after=after, limit=limit + 1)
    is_last = len(found) <= limit
    return SummaryPage(summaries=found[:limit], next=None if is_last else found[limit - 1].key)


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
    return read_cursor(conn, cursors, real_name(conn, tables.CURSOR))


def _summaries_now(conn: Connection, run_id: str, after: str | None, limit: int) -> tuple[MetricSummary, ...]:
    table = tables.summaries
    query = select(table).where(table.c.run_id == run_id).order_by(table.c.key).limit(limit)
    if after is not None:
        query = query.where(table.c.key > after)
    return tuple(_named(row["key"], summary_of_row(row)) for row in conn.execute(query).mappings())


def _summaries_then(
    conn: Connection, run_id: str, as_of: int, after: str | None, limit: int
) -> tuple[MetricSummary, ...]:
    cuts = read_cuts(conn, run_id, as_of)
    points = read_points(conn, run_id, as_of=as_of, attempts=counting(cuts))
    found = summarise_effective(points, cuts)
    keys = sorted(key for key in found if after is None or key > after)
    return tuple(_named(key, found[key]) for key in keys[:limit])


def _named(key: str, summary: Summary) -> MetricSummary:
    return MetricSummary(key=key, **msgspec.structs.asdict(summary))


def _read_columns(conn: Connection, run_id: str, key: str, superseded: bool, as_of: int) -> dict[str, Any]:
    """Grown in place: ten million points are copied neither twice nor with what else their rows hold."""
    cuts = read_cuts(conn, run_id, as_of)
    bytes_of = {"step": bytearray(), "time": bytearray(), "value": bytearray(), "attempt": bytearray()}
    attempts = None if superseded else counting(cuts)
    for attempt, points in read_points(conn, run_id, key=key, as_of=as_of, attempts=attempts):
        is_effective = effective(points, limit_of(cuts, attempt))
        kept = points.where(~is_effective if superseded else is_effective)
        for name in ("step", "time", "value"):
            bytes_of[name] += getattr(kept, name).tobytes()
        bytes_of["attempt"] += np.full(len(kept), attempt, "<i4").tobytes()
    return {name: np.frombuffer(column, _DTYPES[name]) for name, column in bytes_of.items()}


_DTYPES = {"step": "<i8", "time": "<i8", "value": "<f8", "attempt": "<i4"}


def _between(columns: dict[str, Any], after_step: int | None, until_step: int | None) -> dict[str, Any]:
    step = columns["step"]
    kept = np.ones(len(step), np.bool_)
    if after_step is not None:
        kept &= step > after_step
    if until_step is not None:
        kept &= step <= until_step
    return columns if kept.all() else {name: column[kept] for name, column in columns.items()}
