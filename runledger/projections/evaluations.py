"""Evaluations: one checkpoint on one benchmark, its state, scores and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Index, Integer, LargeBinary, Table, Text, select

from runledger.projections.history import holds, read_page
from runledger.projections.projection import Fact, Projection, Write
from runledger.projections.rows import Additions, History
from runledger.projections.tables import Real, valid_from, valid_to, views
from runledger.tracker.envelope import from_micros
from runledger.tracker.events import evaluation as facts
from runledger.tracker.events.base import Score

evaluations = Table(
    "evaluations_v1",
    views,
    Column("evaluation_id", Text, primary_key=True),
    valid_from(),
    valid_to(),
    Column("position", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("checkpoint", Text, nullable=False),
    Column("benchmark_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempt", Integer),
    Column("worker", Text),
    Column("predictions", Text),
    Column("items", BigInteger),
    Column("scores", LargeBinary),
    Column("error_class", Text),
    Column("message", Text),
    Column("superseded_by", Text),
    Column("requested_at", BigInteger, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("ended_at", BigInteger),
    Index("evaluations_v1_newest", "valid_to", "position"),
    Index("evaluations_v1_run", "run_id", "valid_to", "position"),
    Index("evaluations_v1_benchmark", "benchmark_id", "valid_to", "position"),
)

evaluation_scores = Table(
    "evaluation_scores_v1",
    views,
    Column("evaluation_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Real, nullable=False),
    Index("evaluation_scores_v1_best", "name", "value"),
)
"""What can be ranked; the scores with their intervals lie in `evaluations_v1.scores`."""

Status = Literal["queued", "running", "completed", "failed", "superseded"]


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """`position` is that of the request and the key for paging."""

    evaluation_id: str
    position: int
    version: int
    run_id: str
    step: int
    checkpoint: str
    benchmark_id: str
    status: Status
    attempt: int | None
    worker: str | None
    scores: tuple[Score, ...]
    predictions: str | None
    """Digest of the blob with one JSON line an item."""
    items: int | None
    error_class: str | None
    message: str | None
    superseded_by: str | None
    requested_at: datetime
    requested_by: str
    ended_at: datetime | None


class EvaluationPage(msgspec.Struct, frozen=True, kw_only=True):
    evaluations: tuple[Evaluation, ...]
    next: int | None
    """Pass it as `after` for the following page; None: this is the last."""


_pack = msgspec.msgpack.Encoder().encode
_scores = msgspec.msgpack.Decoder(tuple[Score, ...])


def fold(conn: Connection, batch: Sequence[Fact]) -> Write:
    rows = History(evaluations, "evaluation_id")
    scores = Additions(evaluation_scores)
    rows.load(conn, {fact.subject for fact in batch})
    for fact in batch:
        if isinstance(fact.event, facts.EvaluationRequested):
            _request(rows, fact, fact.event)
        else:
            rows.change(fact.position, fact.subject, version=fact.version, **_changes(fact))
        if isinstance(fact.event, facts.EvaluationCompleted):
            for score in fact.event.scores:
                scores.add(
                    evaluation_id=fact.subject, name=score.name, position=fact.position, value=score.value
                )

    def write(conn: Connection) -> None:
        rows.write(conn)
        scores.write(conn)

    return write


PROJECTION = Projection(
    name="evaluations",
    version=1,
    kinds=frozenset({"evaluation"}),
    tables=(evaluations, evaluation_scores),
    fold=fold,
)


def list_evaluations(
    conn: Connection,
    *,
    run: str | None = None,
    benchmark: str | None = None,
    status: Status | None = None,
    limit: int = 50,
    after: int | None = None,
    as_of: int | None = None,
) -> EvaluationPage:
    """Newest first."""
    columns = evaluations.c
    query = select(evaluations).where(holds(evaluations, as_of))
    for column, wanted in (
        (columns.run_id, run),
        (columns.benchmark_id, benchmark),
        (columns.status, status),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    rows, following = read_page(conn, query, columns.position, limit, after)
    return EvaluationPage(evaluations=tuple(map(_evaluation, rows)), next=following)


def get_evaluation(conn: Connection, evaluation_id: str, as_of: int | None = None) -> Evaluation | None:
    query = select(evaluations).where(evaluations.c.evaluation_id == evaluation_id, holds(evaluations, as_of))
    row = conn.execute(query).mappings().first()
    return None if row is None else _evaluation(row)


def _request(rows: History, fact: Fact, event: facts.EvaluationRequested) -> None:
    rows.open(
        fact.position,
        evaluation_id=fact.subject,
        position=fact.position,
        version=fact.version,
        status="queued",
        requested_at=fact.at,
        **msgspec.structs.asdict(event),
    )


def _changes(fact: Fact) -> dict[str, Any]:
    match fact.event:
        case facts.EvaluationStarted() as event:
            return {"status": "running", "attempt": event.attempt, "worker": event.worker}
        case facts.EvaluationLost():
            return {"status": "queued", "worker": None}
        case facts.EvaluationCompleted() as event:
            return {
                "status": "completed",
                "attempt": event.attempt,
                "scores": _pack(event.scores),
                "predictions": event.predictions,
                "items": event.items,
                "ended_at": fact.at,
            }
        case facts.EvaluationFailed() as event:
            return {
                "status": "failed",
                "attempt": event.attempt,
                "error_class": event.error_class,
                "message": event.message,
                "ended_at": fact.at,
            }
        case facts.EvaluationSuperseded() as event:
            return {"status": "superseded", "superseded_by": event.by}
        case _:
            return {}


def _evaluation(row: Any) -> Evaluation:
    made: dict[str, Any] = {
        "scores": _scores.decode(row["scores"]) if row["scores"] else (),
        "requested_at": from_micros(row["requested_at"]),
        "ended_at": None if row["ended_at"] is None else from_micros(row["ended_at"]),
    }
    return Evaluation(
        **{name: row[name] for name in Evaluation.__struct_fields__ if name not in made}, **made
    )
