"""Benchmarks: held-out datasets with a scorer and a direction."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, get, post
from litestar.params import Body, FromPath

from runledger.api.answers import Benchmark, BenchmarkWritten, Page
from runledger.api.http.encoding import JsonResponse
from runledger.api.http.etags import etag
from runledger.api.http.given import GivenBackend, GivenMetadata, GivenViews
from runledger.api.http.paging import DEFAULT_LIMIT, Cursor, Limit, seal, unseal
from runledger.api.http.parameters import AsOf
from runledger.api.reading.shapes import shaped
from runledger.api.reading.unseen import not_seen
from runledger.api.writing import material, scoring
from runledger.projections import benchmarks
from runledger.tracker.aggregates.registry import BENCHMARK
from runledger.tracker.descriptions import BenchmarkRecipe
from runledger.tracker.store import announcements


@post("/", sync_to_thread=True, summary="Define a benchmark")
def define_benchmark(
    backend: GivenBackend,
    metadata: GivenMetadata,
    data: Annotated[BenchmarkRecipe, Body(description="Over a dataset that is registered, or made here.")],
) -> Response[BenchmarkWritten]:
    """The same definition again is the same benchmark. Its scorer is one that a worker has announced."""
    with backend.rows() as conn:
        announced = announcements.read(conn)
    scoring.check(announced, "$.scorer", data.scorer, data.scorer_version)
    made = material.benchmark(backend, data)
    position = material.register(backend, metadata, made)
    state = backend.dispatcher.load(BENCHMARK, made.reference)
    written = BenchmarkWritten(
        benchmark_id=made.reference,
        dataset=state.defined.dataset,
        position=position,
        version=state.version,
    )
    location = {"Location": f"/api/v1/benchmarks/{made.reference}"}
    return JsonResponse(written, status_code=201, headers=etag(state.version) | location)


@get("/", sync_to_thread=True, summary="List benchmarks")
def list_benchmarks(
    views: GivenViews, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None, as_of: AsOf = None
) -> Page[Benchmark]:
    """The newest first."""
    with views.read() as conn:
        page = benchmarks.list_benchmarks(conn, limit=limit, after=unseal(cursor, int), as_of=as_of)
    items = [shaped(each, Benchmark) for each in page.benchmarks]
    return Page(items=items, next=None if page.next is None else seal(page.next))


@get("/{benchmark_id:str}", sync_to_thread=True, summary="One benchmark")
def show_benchmark(
    backend: GivenBackend, views: GivenViews, benchmark_id: FromPath[str], as_of: AsOf = None
) -> Response[Benchmark]:
    with views.read() as conn:
        found = benchmarks.get_benchmark(conn, benchmark_id, as_of)
    if found is None:
        not_seen(backend, "benchmark", benchmark_id, as_of)
    return JsonResponse(shaped(found, Benchmark), headers=etag(found.version))


router = Router(
    "/benchmarks",
    tags=["benchmarks"],
    opt={"projections": ["benchmarks"]},
    route_handlers=[define_benchmark, list_benchmarks, show_benchmark],
)
