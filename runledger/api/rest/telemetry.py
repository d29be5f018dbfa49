"""Points and output of an attempt that is executed elsewhere, as many as come.

These handlers run on the event loop and block nothing: what they wait for is the log's next commit, which
all of them share. What may be inside at a time is bounded; more is 429. Points that come as couriers send
them do not even pass Litestar (`api.rest.fast_lane`), and end in the same `take_points`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from litestar import Request, Response, Router, post
from litestar.datastructures import State
from litestar.exceptions import InternalServerException
from litestar.params import FromPath, QueryParameter

from runledger.api import batches
from runledger.api.answers import BatchTaken, Written
from runledger.api.backend import Backend
from runledger.api.errors import BadRequest, BodyTooLarge, Fault, Invalid
from runledger.api.http.bodies import MetricsOperation, OutputOperation
from runledger.api.http.encoding import JsonResponse, encode
from runledger.api.http.given import backend_of, metadata_of
from runledger.api.http.parameters import LARGEST_SIZE, bounds
from runledger.api.settings import MEBIBYTE
from runledger.api.writing import telemetry
from runledger.api.writing.attempts import AttemptInPath, LeaseEpoch, Place, place_of
from runledger.tracker.envelope import Metadata

OCTETS = "application/octet-stream"
LARGEST_OUTPUT = MEBIBYTE
BODY_SECONDS = 30.0

AnyRequest = Request[str, Any, State]


@post(
    "/{attempt:int}/metrics",
    status_code=200,
    summary="Record points",
    operation_class=MetricsOperation,
    opt={"content_types": (batches.JSON, batches.MSGPACK)},
)
async def record_metrics(
    request: AnyRequest,
    run_id: FromPath[str],
    attempt: AttemptInPath,
    x_lease_epoch: LeaseEpoch,
) -> Response[BatchTaken]:
    """The next batch of the attempt, of 1 to 1,000 points. Answered once it is committed; sending it again
    changes nothing. One that is not the next is 409 and says how far the attempt is. Where too much waits
    already, the answer is 429: send it again after as long as Retry-After says.
    """
    backend = backend_of(request)
    return JsonResponse(
        await take_points(
            backend,
            place_of(run_id, attempt, x_lease_epoch),
            metadata_of(request),
            media_type=_media_type(request),
            size_bytes=_size(request, backend.settings.max_body_bytes),
            read=request.body,
        )
    )


@post(
    "/{attempt:int}/output",
    status_code=200,
    summary="Record output",
    operation_class=OutputOperation,
    opt={"content_types": (OCTETS,)},
    request_max_body_size=LARGEST_OUTPUT,
)
async def record_output(
    request: AnyRequest,
    run_id: FromPath[str],
    attempt: AttemptInPath,
    x_lease_epoch: LeaseEpoch,
    start: Annotated[
        int,
        QueryParameter(
            description="Place of the first byte in the whole output of the attempt.",
            **bounds(0, LARGEST_SIZE),
        ),
    ],
) -> Response[Written]:
    """The next bytes of the attempt's output, as they were printed, at most 1 MiB. Bytes that are not the
    next are 409, which says how many there are.
    """
    backend = backend_of(request)
    with backend.gate.admit(_size(request, LARGEST_OUTPUT)):
        data = await _in_time(request.body)
        if not data:
            raise Invalid([Fault("$", "no bytes")])
        place = place_of(run_id, attempt, x_lease_epoch)
        written = await telemetry.take_output(backend, place, start, data, metadata_of(request))
    return JsonResponse(encode(written))


async def take_points(
    backend: Backend,
    place: Place,
    metadata: Metadata,
    *,
    media_type: str,
    size_bytes: int,
    read: Callable[[], Awaitable[bytes]],
) -> bytes:
    """The body of the answer, once the batch is committed. `read` gives that of the request.

    Raises `TooMuchWaits`, `BadRequest`, and what `batches.read` and `telemetry.take_batch` raise.
    """
    with backend.gate.admit(size_bytes):
        batch = batches.read(media_type, await _in_time(read), _now_micros)
        return encode(await telemetry.take_batch(backend, place, batch, metadata))


async def _in_time(read: Callable[[], Awaitable[bytes]]) -> bytes:
    """Whoever sends slowly must not keep the others out. Raises `BadRequest`."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await read()
    except TimeoutError:
        raise BadRequest(f"the body did not come within {BODY_SECONDS:g} s") from None
    except InternalServerException:
        raise BadRequest("the body broke off") from None


def _media_type(request: AnyRequest) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _size(request: AnyRequest, limit_bytes: int) -> int:
    """As the client declares it; the most that is taken where it does not."""
    declared = request.headers.get("content-length")
    if declared is None:
        return limit_bytes
    if not (declared.isascii() and declared.isdigit()):
        raise BadRequest("Content-Length is no number")
    if int(declared) > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    return int(declared)


def _now_micros() -> int:
    return time.time_ns() // 1000


router = Router(
    "/runs/{run_id:str}/attempts", tags=["executed elsewhere"], route_handlers=[record_metrics, record_output]
)
