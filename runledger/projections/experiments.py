"""Experiments: the named groups of runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Connection, Index, Select, Table, Text, func, select

from runledger.projections.history import holds, read_page
from runledger.projections.projection import Fact, Projection, Write
from runledger.projections.rows import History
from runledger.projections.runs.tables import run_states
from runledger.projections.tables import valid_from, valid_to, views
from runledger.tracker.envelope import from_micros
from runledger.tracker.events import experiment as facts

experiments = Table(
    "experiments_v1",
    views,
    Column("experiment_id", Text, primary_key=True),
    valid_from(),
    valid_to(),
    Column("position", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Index("experiments_v1_newest", "valid_to", "position"),
)


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """`position` is that of its creation and the key for paging."""

    experiment_id: str
    position: int
    version: int
    name: str
    description: str
    archived: bool
    created_at: datetime
    created_by: str
    runs: int
    """How many runs were requested in it, the hidden ones among them."""


class ExperimentPage(msgspec.Struct, frozen=True, kw_only=True):
    experiments: tuple[Experiment, ...]
    next: int | None
    """Pass it as `after` for the following page; None: this is the last."""


def fold(conn: Connection, batch: Sequence[Fact]) -> Write:
    rows = History(experiments, "experiment_id")
    rows.load(conn, {fact.subject for fact in batch})
    for fact in batch:
        match fact.event:
            case facts.ExperimentCreated() as event:
                rows.open(
                    fact.position,
                    experiment_id=fact.subject,
                    position=fact.position,
                    version=fact.version,
                    name=event.name,
                    description=event.description,
                    archived=False,
                    created_at=fact.at,
                    created_by=fact.actor,
                )
            case event:
                rows.change(fact.position, fact.subject, version=fact.version, **_changes(event))
    return rows.write


PROJECTION = Projection(
    name="experiments", version=1, kinds=frozenset({"experiment"}), tables=(experiments,), fold=fold
)


def list_experiments(
    conn: Connection,
    *,
    archived: bool = False,
    limit: int = 50,
    after: int | None = None,
    as_of: int | None = None,
) -> ExperimentPage:
    """Newest first; archived ones are left out unless asked for."""
    query = _query(as_of)
    if not archived:
        query = query.where(experiments.c.archived.is_(False))
    rows, following = read_page(conn, query, experiments.c.position, limit, after)
    return ExperimentPage(experiments=tuple(map(_experiment, rows)), next=following)


def get_experiment(conn: Connection, experiment_id: str, as_of: int | None = None) -> Experiment | None:
    row = conn.execute(_query(as_of).where(experiments.c.experiment_id == experiment_id)).mappings().first()
    return None if row is None else _experiment(row)


def find_experiment(conn: Connection, name: str, as_of: int | None = None) -> Experiment | None:
    """By name; where several bear it, the first that was created."""
    query = _query(as_of).where(experiments.c.name == name).order_by(experiments.c.position).limit(1)
    row = conn.execute(query).mappings().first()
    return None if row is None else _experiment(row)


def _changes(event: object) -> dict[str, Any]:
    match event:
        case facts.ExperimentRenamed():
            return {"name": event.name}
        case facts.ExperimentArchived():
            return {"archived": True}
        case facts.ExperimentRestored():
            return {"archived": False}
        case _:
            return {}


def _query(as_of: int | None) -> Select[Any]:
    runs = (
        select(func.count())
        .where(run_states.c.experiment_id == experiments.c.experiment_id, holds(run_states, as_of))
        .scalar_subquery()
    )
    return select(*experiments.c, runs.label("runs")).where(holds(experiments, as_of))


def _experiment(row: Any) -> Experiment:
    copied = ("experiment_id", "position", "version", "name", "description", "archived", "created_by", "runs")
    return Experiment(
        **{name: row[name] for name in copied},
        created_at=from_micros(row["created_at"]),
    )
