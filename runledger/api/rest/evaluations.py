"""Evaluations: one checkpoint on one benchmark, with a prediction for each item."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from litestar import Response, Router, get
from litestar.params import FromPath, QueryParameter

from runledger.api.answers import Evaluation, Page, Prediction
from runledger.api.backend import Backend
from runledger.api.http.encoding import JsonResponse
from runledger.api.http.etags import etag
from runledger.api.http.given import GivenBackend, GivenViews
from runledger.api.http.paging import DEFAULT_LIMIT, Cursor, Limit, seal, unseal
from runledger.api.http.parameters import AsOf
from runledger.api.reading import evaluation_views
from runledger.projections import evaluations
from runledger.tracker.spec import JsonObject


@get("/", sync_to_thread=True, summary="List evaluations")
def list_evaluations(
    views: GivenViews,
    run: Annotated[str | None, QueryParameter(required=False, description="Id of a run.")] = None,
    benchmark: Annotated[str | None, QueryParameter(required=False, description="Id of a benchmark.")] = None,
    status: Annotated[evaluations.Status | None, QueryParameter(required=False)] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    as_of: AsOf = None,
) -> Page[Evaluation]:
    """The newest first."""
    return evaluation_views.page(
        views, limit, cursor, run=run, benchmark=benchmark, status=status, as_of=as_of
    )


@get("/{evaluation_id:str}", sync_to_thread=True, summary="One evaluation")
def show_evaluation(
    backend: GivenBackend, views: GivenViews, evaluation_id: FromPath[str], as_of: AsOf = None
) -> Response[Evaluation]:
    found = evaluation_views.find(backend, views, evaluation_id, as_of)
    return JsonResponse(evaluation_views.answer_of(found), headers=etag(found.version))


@get("/{evaluation_id:str}/predictions", sync_to_thread=True, summary="An evaluation's predictions")
def list_predictions(
    backend: GivenBackend,
    views: GivenViews,
    evaluation_id: FromPath[str],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[Prediction]:
    """In the order of the benchmark's dataset; none before it is completed."""
    found = evaluation_views.find(backend, views, evaluation_id)
    place = unseal(cursor, Place) or Place(0, 0)
    if found.predictions is None:
        return Page(items=[])
    return _page(backend, found.predictions, place, limit)


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page of predictions begins in their blob: nothing before it has to be read again."""

    index: int
    offset: Annotated[int, msgspec.Meta(ge=0)]


_decoder = msgspec.json.Decoder(JsonObject)


def _page(backend: Backend, digest: str, place: Place, limit: int) -> Page[Prediction]:
    items: list[Prediction] = []
    offset = place.offset
    for line in _lines(backend, digest, offset):
        if len(items) == limit:
            return Page(items=items, next=seal(Place(place.index + limit, offset)))
        items.append(Prediction(index=place.index + len(items), prediction=_decoder.decode(line)))
        offset += len(line)
    return Page(items=items)


def _lines(backend: Backend, digest: str, offset: int) -> Iterator[bytes]:
    """Each with its line feed."""
    rest = b""
    for chunk in backend.blobs.open(digest, offset):
        lines = (rest + chunk).splitlines(keepends=True)
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        yield from lines
    if rest:
        yield rest


router = Router(
    "/evaluations",
    tags=["evaluations"],
    opt={"projections": ["evaluations"]},
    route_handlers=[list_evaluations, show_evaluation, list_predictions],
)
