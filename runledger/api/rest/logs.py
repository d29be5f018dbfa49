"""What an attempt printed: raw bytes by range, or the tail of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from litestar import Router, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from runledger.api.backend import Views
from runledger.api.http.given import GivenBackend, GivenViews
from runledger.api.http.parameters import LARGEST_SIZE, AttemptNumber, bounds
from runledger.api.http.ranges import RangeHeader, Span, span_of
from runledger.api.reading import run_views
from runledger.projections import logs
from runledger.tracker.blobs import Blobs
from runledger.tracker.errors import NotFound

MEDIA_TYPE = "text/plain; charset=utf-8"
PARTIAL = ResponseSpec(
    bytes, media_type=MEDIA_TYPE, description="The bytes of the range.", generate_examples=False
)


@get(
    "/runs/{run_id:str}/logs",
    sync_to_thread=True,
    summary="A run's output",
    tags=["telemetry"],
    opt={"projections": ["logs"]},
    media_type=MEDIA_TYPE,
    responses={206: PARTIAL},
)
def show_logs(
    backend: GivenBackend,
    views: GivenViews,
    run_id: FromPath[str],
    attempt: AttemptNumber = None,
    tail: Annotated[
        int | None,
        QueryParameter(
            required=False, description="Only so many of the last bytes.", **bounds(1, LARGEST_SIZE)
        ),
    ] = None,
    range_: RangeHeader = None,
) -> Stream:
    """Standard output and error of an attempt, as they came. `X-Attempt` says of which."""
    run_views.check_exists(backend, run_id)
    number, size = _output(views, run_id, attempt)
    span = span_of(f"bytes=-{tail}" if tail and range_ is None and size else range_, size)
    with views.read() as conn:
        chunks = logs.chunks(conn, run_id, number, start=span.start, end=span.end)
    return Stream(
        _pieces(backend.blobs, chunks, span),
        status_code=span.status,
        media_type=MEDIA_TYPE,
        headers=span.headers() | {"Cache-Control": "no-store", "X-Attempt": str(number)},
    )


def _output(views: Views, run_id: str, attempt: int | None) -> tuple[int, int]:
    """Which attempt, and how many bytes of it. Raises `NotFound` for one that has printed nothing."""
    with views.read() as conn:
        outputs = logs.logs(conn, run_id)
    if attempt is None:
        return (outputs[-1].attempt, outputs[-1].size_bytes) if outputs else (1, 0)
    for output in outputs:
        if output.attempt == attempt:
            return attempt, output.size_bytes
    raise NotFound("output of attempt", str(attempt))


def _pieces(blobs: Blobs, chunks: tuple[logs.LogChunk, ...], span: Span) -> Iterator[bytes]:
    for chunk in chunks:
        start = max(0, span.start - chunk.start)
        end = min(chunk.size_bytes, span.end - chunk.start)
        yield from blobs.open(chunk.digest, start, end)


router = Router("/", route_handlers=[show_logs])
