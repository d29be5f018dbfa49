"""Curves of a run: summaries by key, and the points of one key, thinned out on the server."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import Response, Router, get
from litestar.params import FromPath, QueryParameter

from api.answers import MetricSummary, Page, Series
from api.http.encoding import JsonResponse
from api.http.given import GivenBackend, GivenViews
from api.http.parameters import AnyStep, AsOf
from api.reading import run_views
from api.reading.shapes import shaped
from projections import metrics
from tracker.errors import NotFound

NO_STORE = {"Cache-Control": "no-store"}


@get("/", sync_to_thread=True, summary="A run's metrics")
def list_metrics(
    backend: GivenBackend, views: GivenViews, run_id: FromPath[str], as_of: AsOf = None
) -> Response[Page[MetricSummary]]:
    """Of the effective points of each key."""
    run_views.check_exists(backend, run_id)
    with views.read() as conn:
        found = metrics.summaries(conn, run_id, as_of)
    page = Page(items=[shaped(each, MetricSummary) for each in found])
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
    run_views.check_exists(backend, run_id)
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
        if not series.points and name not in metrics.keys(conn, run_id):
            raise NotFound("metric", name)
    return JsonResponse(shaped(series, Series), headers=NO_STORE)


router = Router(
    "/runs/{run_id:str}/metrics",
    tags=["telemetry"],
    opt={"projections": ["metrics"]},
    route_handlers=[list_metrics, show_series],
)
