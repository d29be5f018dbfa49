"""Evaluations as answers."""

from __future__ import annotations

from msgspec.structs import asdict, replace

from runledger.api.answers import Evaluation, Page, ScoreAnswer
from runledger.api.backend import Backend, Views
from runledger.api.http.paging import seal, unseal
from runledger.api.reading import links
from runledger.api.reading.shapes import shaped
from runledger.api.reading.unseen import not_seen
from runledger.projections import evaluations


def answer_of(evaluation: evaluations.Evaluation) -> Evaluation:
    """Scores one by one: a field that was never recorded is absent, and stays so."""
    shape = shaped(replace(evaluation, scores=()), Evaluation)
    scores = [ScoreAnswer(**asdict(score)) for score in evaluation.scores]
    return replace(shape, scores=scores, links=links.of_evaluation(evaluation.evaluation_id))


def page(
    views: Views,
    limit: int,
    cursor: str | None,
    *,
    run: str | None = None,
    benchmark: str | None = None,
    status: evaluations.Status | None = None,
    as_of: int | None = None,
) -> Page[Evaluation]:
    """Newest first."""
    with views.read() as conn:
        found = evaluations.list_evaluations(
            conn,
            run=run,
            benchmark=benchmark,
            status=status,
            limit=limit,
            after=unseal(cursor, int),
            as_of=as_of,
        )
    items = [answer_of(each) for each in found.evaluations]
    return Page(items=items, next=None if found.next is None else seal(found.next))


def find(
    backend: Backend, views: Views, evaluation_id: str, as_of: int | None = None
) -> evaluations.Evaluation:
    """Raises `NotFound`, and `PositionNotReached` for one that only the log has."""
    with views.read() as conn:
        found = evaluations.get_evaluation(conn, evaluation_id, as_of)
    if found is None:
        not_seen(backend, "evaluation", evaluation_id, as_of)
    return found
