"""The short way of batches of points, past Litestar: straight from the server to `telemetry.take_points`.

To route such a request, to guard it, to give it its parameters and to build its answer takes Litestar
longer than all the rest of it. Only what looks exactly as couriers send it goes this way; anything else,
and with it whatever is wrong with path or headers, goes the ordinary one, which does the same.
"""

from __future__ import annotations

import re
from functools import partial
from typing import NamedTuple

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from runledger.api.backend import Backend
from runledger.api.batches import JSON, MSGPACK
from runledger.api.errors import BadRequest
from runledger.api.http import problems
from runledger.api.rest import telemetry
from runledger.api.writing.attempts import Place, place_of
from runledger.tracker.envelope import Metadata

ROUTE = "/api/v1/runs/{run_id}/attempts/{attempt}/metrics"
PATH = re.compile(r"/api/v1/runs/([A-Za-z0-9_-]+)/attempts/([1-9][0-9]{0,8})/metrics")
NUMBER = re.compile(rb"[1-9][0-9]{0,17}")
MEDIA_TYPES = {name.encode(): name for name in (JSON, MSGPACK)}
UNUSUAL = frozenset({b"origin", b"x-request-id"})
"""Headers whose meaning the ordinary way knows."""


class _Batch(NamedTuple):
    """What path and headers say of it."""

    place: Place
    media_type: str
    size_bytes: int


class FastLane:
    """The ASGI application around Litestar, within the front door."""

    def __init__(self, app: ASGIApp, backend: Backend) -> None:
        self.app = app
        self._backend = backend

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        batch = self._recognise(scope) if scope["type"] == ScopeType.HTTP else None
        if batch is None:
            await self.app(scope, receive, send)
        else:
            scope["path_template"] = ROUTE
            await self._take(batch, scope["user"], receive, send)

    def _recognise(self, scope: HTTPScope) -> _Batch | None:
        """None for whatever is not exactly as couriers send it."""
        path = PATH.fullmatch(scope["path"])
        if path is None or scope["method"] != "POST" or scope["query_string"]:
            return None
        given = list(scope["headers"])
        headers = dict(given)
        media_type = MEDIA_TYPES.get(headers.get(b"content-type", b""))
        size, epoch = headers.get(b"content-length", b""), headers.get(b"x-lease-epoch", b"")
        if media_type is None or not (NUMBER.fullmatch(size) and NUMBER.fullmatch(epoch)):
            return None
        is_usual = len(headers) == len(given) and UNUSUAL.isdisjoint(headers)
        if not is_usual or int(size) > self._backend.settings.max_body_bytes:
            return None
        return _Batch(place_of(path[1], int(path[2]), int(epoch)), media_type, int(size))

    async def _take(self, batch: _Batch, actor: str, receive: Receive, send: Send) -> None:
        try:
            body = await telemetry.take_points(
                self._backend,
                batch.place,
                Metadata(actor=actor),
                media_type=batch.media_type,
                size_bytes=batch.size_bytes,
                read=partial(_read, receive, batch.size_bytes),
            )
        except Exception as error:  # noqa: BLE001 — the shell of a request: what went wrong is its answer
            problems.record(error, "POST", ROUTE)
            await problems.send_answer(error, send)
        else:
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body, "more_body": False})


async def _read(receive: Receive, size_bytes: int) -> bytes:
    """All that was declared. The server would tell the end once more, after another turn of the loop."""
    parts: list[bytes] = []
    left = size_bytes
    while left > 0:
        message = await receive()
        if message["type"] != "http.request":
            raise BadRequest("the body broke off")
        parts.append(message.get("body", b""))
        left = left - len(parts[-1]) if message.get("more_body") else 0
    return b"".join(parts)
