"""Where the bytes of an attempt's output lie: ordered ranges, each with the digest of its blob."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Integer, Table, Text, func, select

from runledger.projections.projection import Fact, Projection, Write
from runledger.projections.rows import Additions
from runledger.projections.tables import views
from runledger.tracker.events.telemetry import LogsRecorded
from runledger.tracker.ids import telemetry_ids

log_chunks = Table(
    "log_chunks_v1",
    views,
    Column("run_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
)


class LogChunk(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes from `start` on, `size_bytes` of them, are the blob `digest`."""

    start: int
    size_bytes: int
    digest: str
    position: int


class AttemptLog(msgspec.Struct, frozen=True, kw_only=True):
    attempt: int
    size_bytes: int
    chunks: int


def fold(conn: Connection, batch: Sequence[Fact]) -> Write:
    rows = Additions(log_chunks)
    for fact in batch:
        if isinstance(fact.event, LogsRecorded):
            run_id, attempt = telemetry_ids(fact.stream)
            rows.add(
                run_id=run_id,
                attempt=attempt,
                version=fact.version,
                position=fact.position,
                start=fact.event.start,
                size_bytes=fact.event.size_bytes,
                digest=fact.event.digest,
            )
    return rows.write


PROJECTION = Projection(
    name="logs", version=1, kinds=frozenset({"telemetry"}), tables=(log_chunks,), fold=fold
)


def logs(conn: Connection, run_id: str) -> tuple[AttemptLog, ...]:
    """Which attempts have output, and how much of it is recorded."""
    end = func.max(log_chunks.c.start + log_chunks.c.size_bytes)
    query = (
        select(log_chunks.c.attempt, end, func.count())
        .where(log_chunks.c.run_id == run_id)
        .group_by(log_chunks.c.attempt)
        .order_by(log_chunks.c.attempt)
    )
    return tuple(
        AttemptLog(attempt=attempt, size_bytes=size, chunks=count)
        for attempt, size, count in conn.execute(query)
    )


def chunks(
    conn: Connection, run_id: str, attempt: int, *, start: int = 0, end: int | None = None
) -> tuple[LogChunk, ...]:
    """In order, those that hold bytes of the range from `start` up to, not including, `end`."""
    columns = log_chunks.c
    query = (
        select(columns.start, columns.size_bytes, columns.digest, columns.position)
        .where(columns.run_id == run_id, columns.attempt == attempt)
        .where(columns.start + columns.size_bytes > start)
        .order_by(columns.start)
    )
    if end is not None:
        query = query.where(columns.start < end)
    return tuple(LogChunk(**row) for row in map(dict, conn.execute(query).mappings()))
