"""The tables of the metrics projection: points in columns as they came, one chunk for each batch and key."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from projections.tables import Real, cursor_of, views


def _summary() -> tuple[Column[int] | Column[float], ...]:
    """Last is the last logged; least and greatest are of the finite values, NULL where there is none."""
    return (
        Column("points", BigInteger, nullable=False),
        Column("non_finite", BigInteger, nullable=False),
        Column("last_value", Real, nullable=False),
        Column("last_step", BigInteger, nullable=False),
        Column("last_time", BigInteger, nullable=False),
        Column("min_value", Real),
        Column("min_step", BigInteger),
        Column("max_value", Real),
        Column("max_step", BigInteger),
    )


chunks = Table(
    "metric_chunks_v1",
    views,
    Column("run_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("last_place", Integer, nullable=False),
    *_summary(),
    Column("place", LargeBinary, nullable=False),
    Column("step", LargeBinary, nullable=False),
    Column("time", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
)
"""The points of one key in the batch at `version` of an attempt's telemetry.

`place` (uint32) is a point's place among all points of its batch, by which `covers` cuts; step and
time (µs) are int64, value is float64, all little-endian.
"""

attempts = Table(
    "metric_attempts_v1",
    views,
    Column("run_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("resumed_attempt", Integer),
    Column("resumed_step", BigInteger),
    Column("resumed_digest", Text),
)

checkpoints = Table(
    "metric_checkpoints_v1",
    views,
    Column("run_id", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", Integer, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("covers_version", BigInteger, nullable=False),
    Column("covers_offset", BigInteger, nullable=False),
)

summaries = Table(
    "metric_summaries_v1",
    views,
    Column("run_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    *_summary(),
    Index("metric_summaries_v1_last", "key", "last_value"),
)
"""Of the effective points of each key, for lists and sorting."""

NAME = "metrics"
VERSION = 1
CURSOR = cursor_of(NAME, VERSION)
TABLES = (chunks, attempts, checkpoints, summaries)
