"""Benchmarks: held-out datasets with a scorer and a direction, and the baseline of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Index, Integer, Table, Text, select

from runledger.projections.history import holds, read_page
from runledger.projections.projection import Fact, Projection, Write
from runledger.projections.rows import History
from runledger.projections.tables import Real, valid_from, valid_to, views
from runledger.tracker.envelope import from_micros
from runledger.tracker.events.benchmark import (
    BaselinePromoted,
    BaselineWithdrawn,
    BenchmarkDefined,
    Direction,
)

benchmarks = Table(
    "benchmarks_v1",
    views,
    Column("benchmark_id", Text, primary_key=True),
    valid_from(),
    valid_to(),
    Column("position", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("scorer", Text, nullable=False),
    Column("scorer_version", Integer, nullable=False),
    Column("direction", Text, nullable=False),
    Column("tolerance", Real, nullable=False),
    Column("baseline", Text),
    Column("defined_at", BigInteger, nullable=False),
    Column("defined_by", Text, nullable=False),
    Index("benchmarks_v1_newest", "valid_to", "position"),
    Index("benchmarks_v1_name", "name", "valid_to"),
)


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    benchmark_id: str
    position: int
    version: int
    name: str
    dataset: str
    scorer: str
    scorer_version: int
    direction: Direction
    tolerance: float
    baseline: str | None
    """The evaluation that others are compared with."""
    defined_at: datetime
    defined_by: str


class BenchmarkPage(msgspec.Struct, frozen=True, kw_only=True):
    benchmarks: tuple[Benchmark, ...]
    next: int | None
    """Pass it as `after` for the following page; None: this is the last."""


def fold(conn: Connection, batch: Sequence[Fact]) -> Write:
    rows = History(benchmarks, "benchmark_id")
    rows.load(conn, {fact.subject for fact in batch})
    for fact in batch:
        match fact.event:
            case BenchmarkDefined() as event:
                rows.open(
                    fact.position,
                    benchmark_id=fact.subject,
                    position=fact.position,
                    version=fact.version,
                    defined_at=fact.at,
                    defined_by=fact.actor,
                    **msgspec.structs.asdict(event),
                )
            case BaselinePromoted() as event:
                rows.change(fact.position, fact.subject, version=fact.version, baseline=event.evaluation_id)
            case BaselineWithdrawn():
                rows.change(fact.position, fact.subject, version=fact.version, baseline=None)
    return rows.write


PROJECTION = Projection(
    name="benchmarks", version=1, kinds=frozenset({"benchmark"}), tables=(benchmarks,), fold=fold
)


def list_benchmarks(
    conn: Connection, *, limit: int = 50, after: int | None = None, as_of: int | None = None
) -> BenchmarkPage:
    """Newest first."""
    query = select(benchmarks).where(holds(benchmarks, as_of))
    rows, following = read_page(conn, query, benchmarks.c.position, limit, after)
    return BenchmarkPage(benchmarks=tuple(map(_benchmark, rows)), next=following)


def get_benchmark(conn: Connection, benchmark_id: str, as_of: int | None = None) -> Benchmark | None:
    query = select(benchmarks).where(benchmarks.c.benchmark_id == benchmark_id, holds(benchmarks, as_of))
    row = conn.execute(query).mappings().first()
    return None if row is None else _benchmark(row)


def find_benchmarks(conn: Connection, name: str, as_of: int | None = None) -> tuple[Benchmark, ...]:
    """All of this name, in the order of their definition."""
    query = select(benchmarks).where(benchmarks.c.name == name, holds(benchmarks, as_of))
    return tuple(map(_benchmark, conn.execute(query.order_by(benchmarks.c.position)).mappings()))


def _benchmark(row: Any) -> Benchmark:
    times: dict[str, Any] = {"defined_at": from_micros(row["defined_at"])}
    return Benchmark(
        **{name: row[name] for name in Benchmark.__struct_fields__ if name not in times}, **times
    )
