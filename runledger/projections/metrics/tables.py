"""The tables of the metrics projection: points in columns, first as they came, then by key.

An attempt's batches fall into blocks by their versions in its stream. The batches of its newest block
lie as they came; as soon as a later block begins, its points are put together in the order of their
keys and cut into segments. So the rows depend on the events alone, their number on how many points
there are and not on how many keys, and a curve is read without reading all the others.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text
from sqlalchemy.dialects import postgresql

from runledger.projections.tables import Real, cursor_of, views

Key = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Compared by bytes, which is the order of code points, as Python sorts."""

BLOCK_VERSIONS = 64
"""Fewer make more and smaller rows, more are more to read for the newest points of a curve."""
SEGMENT_POINTS = 1_024
"""About 30 KB; more of them is more to read beside the curve that is wanted."""

batches = Table(
    "metric_batches_v2",
    views,
    Column("run_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)
"""Batches of the newest block of an attempt; `payload` is the encoded event."""

segments = Table(
    "metric_segments_v2",
    views,
    Column("run_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("first_key", Key, nullable=False),
    Column("last_key", Key, nullable=False),
    Column("keys", LargeBinary, nullable=False),
    Column("points", LargeBinary, nullable=False),
    Index("metric_segments_v2_keys", "run_id", "last_key", "first_key"),
)
"""Some points of a whole block: the `place`-th part of them, from one key to another.

`keys` is a MessagePack array of these keys, `points` the columns (`segments.pack`).
"""

attempts = Table(
    "metric_attempts_v2",
    views,
    Column("run_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("resumed_attempt", Integer),
    Column("resumed_step", BigInteger),
    Column("resumed_digest", Text),
)

checkpoints = Table(
    "metric_checkpoints_v2",
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
    "metric_summaries_v2",
    views,
    Column("run_id", Text, primary_key=True),
    Column("key", Key, primary_key=True),
    Column("points", BigInteger, nullable=False),
    Column("non_finite", BigInteger, nullable=False),
    Column("last_value", Real, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("last_time", BigInteger, nullable=False),
    Column("min_value", Real),
    Column("min_step", BigInteger),
    Column("max_value", Real),
    Column("max_step", BigInteger),
    Index("metric_summaries_v2_last", "key", "last_value"),
)
"""Of the effective points of each key, for lists and sorting.

Last is the last logged; least and greatest are of the finite values, NULL where there is none.
"""

NAME = "metrics"
VERSION = 2
CURSOR = cursor_of(NAME, VERSION)
TABLES = (batches, segments, attempts, checkpoints, summaries)


def block_of(version: int) -> int:
    """Versions count from 1."""
    return (version - 1) // BLOCK_VERSIONS
