"""Events as they happen, for browsers and programs: server-sent events whose id is the position."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import msgspec
from litestar import Router, get
from litestar.concurrency import sync_to_thread
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream

from runledger.api.errors import Fault, Invalid
from runledger.api.http.given import GivenBackend
from runledger.api.http.parameters import LAST_POSITION, bounds
from runledger.api.hub import Filter

MEDIA_TYPE = "text/event-stream"
Kind = Literal["run", "telemetry", "experiment", "dataset", "benchmark", "evaluation", "model", "sweep"]
LIFE: tuple[Kind, ...] = ("run", "experiment", "dataset", "benchmark", "evaluation", "model", "sweep")

After = Annotated[
    int | None,
    QueryParameter(
        required=False,
        description="Begin after this position; else with what is new.",
        **bounds(0, LAST_POSITION),
    ),
]


@get("/stream", summary="Follow the log", media_type=MEDIA_TYPE)
async def follow(
    backend: GivenBackend,
    run: Annotated[str | None, QueryParameter(required=False, description="Only events of this run.")] = None,
    kinds: Annotated[
        list[Kind] | None,
        QueryParameter(required=False, description="Kinds of streams; all but telemetry by default."),
    ] = None,
    after: After = None,
    last_event_id: Annotated[
        str | None,
        HeaderParameter(
            name="Last-Event-ID",
            required=False,
            description="Sent by a browser that comes back.",
            schema_extra={"pattern": "^[0-9]{0,18}$"},
        ),
    ] = None,
) -> Stream:
    """Each event once, in the order of the log, at most five writes a second.

    The event's name is its type, `data` is what `/runs/{run_id}/events` shows of it.
    """
    position = _position(last_event_id) if last_event_id else after
    if position is not None and position > (head := await sync_to_thread(backend.log.head)):
        raise Invalid([Fault("query: after", f"the log ends at {head}")])
    wanted = Filter(kinds or LIFE, run)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Stream(backend.hub.watch(wanted, position), media_type=MEDIA_TYPE, headers=headers)


_convert = partial(msgspec.convert, type=Annotated[int, msgspec.Meta(ge=0, le=LAST_POSITION)], strict=False)


def _position(last_event_id: str) -> int:
    try:
        position: int = _convert(last_event_id)
    except msgspec.ValidationError:
        raise Invalid([Fault("header: Last-Event-ID", "must be a position")]) from None
    return position


router = Router("/events", tags=["events"], route_handlers=[follow])
