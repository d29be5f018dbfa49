"""Curves of a run: summaries by key, and the points of one key, thinned out on the server."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from litestar import Response, Router, get
from litestar.params import FromPath, QueryParameter

from runledger.api.answers import MetricSummary, Page, Series
from runledger.api.http.encoding import JsonResponse
from runledger.api.http.given import GivenBackend, GivenViews
from runledger.api.http.paging import Cursor, seal, unseal
from runledger.api.http.parameters import AnyStep, AsOf
from runledger.api.reading import run_views
from runledger.api.reading.shapes import shaped
from runledger.projections import metrics
from runledger.tracker.errors import NotFound

NO_STORE = {"Cache-Control": "no-store"}
DEFAULT_KEYS = 1_000

KeyLimit: TypeAlias = Annotated[
    int, QueryParameter(ge=1, le=10_000, description="Most keys of the page.", required=False)
]


@get("/", sync_to_thread=True, summary="A run's metrics")
def list_metrics(
    backend: GivenBackend,
    views: GivenViews,
    run_id: FromPath[str],
    limit: KeyLimit = DEFAULT_KEYS,
    cursor: Cursor = None,
    as_of: AsOf = None,
) -> Response[Page[MetricSummary]]:
    """Of the effective points of each key, in the order of the keys."""
    run_views.check_exists(backend, run_id, as_of)
    with views.read() as conn:
        found = metrics.summary_page(conn, run_id, as_of, after=unseal(cursor, str), limit=limit)
    page = Page(
        items=[shaped(each, MetricSummary) for each in found.summaries],
        next=None if found.next is None else seal(found.next),
    )
    return JsonResponse(page, headers=NO_STORE)


@get("/{key:path}", sync_to_thread=True, summary="One curve of a run")
def show_series(
    backend: GivenBackend,
    views: GivenViews,
    run_id: FromPath[str],
    key: FromPath[str],
    max_points: Annotated[
        int, QueryParameter(ge=10, le=100_000, required=False, description="Thinned out to so many points.")
    ] = 1_000,
    superseded: Annotated[
        bool,
        QueryParameter(
            required=False, description="The points of lost tails in place of the effective ones."
        ),
    ] = False,
    x: Annotated[
        Literal["step", "time"], QueryParameter(required=False, description="What it is thinned out over.")
    ] = "step",
    after_step: AnyStep = None,
    until_step: AnyStep = None,
    as_of: AsOf = None,
) -> Response[Series]:
    """In the order in which the points were logged, attempt after attempt."""
    run_views.check_exists(backend, run_id, as_of)
    name = key.removeprefix("/")
    with views.read() as conn:
        series = metrics.series(
            conn,
            run_id,
            name,
            max_points=max_points,
            superseded=superseded,
            x=x,
            after_step=after_step,
            until_step=until_step,
            as_of=as_of,
        )
        if not series.points and not metrics.has_key(conn, run_id, name, as_of):
            raise NotFound("metric", name)
    return JsonResponse(shaped(series, Series), headers=NO_STORE)


router = Router(
    "/runs/{run_id:str}/metrics",
    tags=["telemetry"],
    opt={"projections": ["metrics"]},
    route_handlers=[list_metrics, show_series],
)
