"""What every request passes before it is routed: host, origin and token; and what is counted of each.

No web page can use the API of whoever visits it: the Host header must be one of ours (DNS rebinding), an
Origin must be that same host or an allowed one. Bound off loopback a bearer token is needed; on loopback
a request without one acts as `api:local`. The content type is checked by the route (`api.app`), which
knows what it reads.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from litestar.concurrency import sync_to_thread
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from runledger.api import prometheus
from runledger.api.errors import ApiError, BadRequest, ForeignOrigin, Unauthorized, UnknownHost
from runledger.api.http import problems
from runledger.api.settings import ApiSettings, as_address, names
from runledger.tracker.errors import TrackerError

KNOWN_HOSTS = 1_000
"""Host headers whose answer is remembered: nearly all requests bear the same one."""
LOCAL_ACTOR = "api:local"
OPEN_PATHS = frozenset({"/api/v1/health/live", "/api/v1/health/ready"})
"""Answered without a token: what a load balancer asks tells nothing."""

HolderOf = Callable[[str], str | None]
"""From a bearer token to the name of its holder; None for a token that is not known."""


class FrontDoor:
    """The ASGI application around Litestar."""

    def __init__(self, app: ASGIApp, settings: ApiSettings, holder_of: HolderOf) -> None:
        self.app = app
        self._is_loopback = settings.is_loopback
        self._holder_of = holder_of
        self._hosts = {"localhost", socket.gethostname().lower(), *names(settings.allowed_hosts)}
        self._origins = names(settings.allowed_origins)
        self._is_ours = lru_cache(KNOWN_HOSTS)(self._look_at_host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            await self._serve(scope, receive, _counted(scope, send))
        else:
            await self.app(scope, receive, send)

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        try:
            host, origin, authorization = _headers(scope)
            _check_address(scope)
            self._check_host(host)
            self._check_origin(origin, host)
            scope["user"] = await self._actor(scope, authorization)
        except (ApiError, TrackerError) as error:
            problems.record(error, scope["method"], scope["path"])
            await problems.send_answer(error, send)
        else:
            await self.app(scope, receive, send)

    def _check_host(self, host: str) -> None:
        if not self._is_ours(host):
            raise UnknownHost(host)

    def _look_at_host(self, host: str) -> bool:
        """Names must be listed. Off loopback any bare address will do: rebinding needs a name."""
        name = _hostname(f"//{host}")
        address = as_address(name)
        is_address = address is not None and (not self._is_loopback or address.is_loopback)
        return is_address or name in self._hosts

    def _check_origin(self, origin: str | None, host: str) -> None:
        if origin is None or origin.lower() in self._origins:
            return
        if not host or origin.lower().partition("://")[2] != host.lower():
            raise ForeignOrigin(origin)

    async def _actor(self, scope: HTTPScope, authorization: str | None) -> str:
        """A browser that asks what a page may do (OPTIONS) has no token to show, and does nothing yet."""
        if authorization is None:
            is_open = scope["path"] in OPEN_PATHS or scope["method"] == "OPTIONS"
            if self._is_loopback or is_open:
                return LOCAL_ACTOR
            raise Unauthorized("a bearer token is needed")
        scheme, _, token = authorization.partition(" ")
        holder = await sync_to_thread(self._holder_of, token.strip()) if scheme.lower() == "bearer" else None
        if holder is None:
            raise Unauthorized("the token is not known, or was revoked")
        return f"api:{holder}"


def _headers(scope: HTTPScope) -> tuple[str, str | None, str | None]:
    """Host, Origin and Authorization; of one that comes twice, the first."""
    raw = dict(reversed([*scope["headers"]]))
    host, origin, authorization = raw.get(b"host", b""), raw.get(b"origin"), raw.get(b"authorization")
    return (
        host.decode("latin-1"),
        None if origin is None else origin.decode("latin-1"),
        None if authorization is None else authorization.decode("latin-1"),
    )


def _check_address(scope: HTTPScope) -> None:
    """No name has a NUL character in it, and PostgreSQL can hold none."""
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:
        raise BadRequest("the address has a NUL character in it")


def _hostname(netloc: str) -> str:
    try:
        return (urlsplit(netloc).hostname or "").lower()
    except ValueError:
        return ""


def _counted(scope: HTTPScope, send: Send) -> Send:
    """`send`, and the request's count and duration once its answer has begun."""
    started_at = time.perf_counter()

    async def counting(message: Message) -> None:
        if message["type"] == "http.response.start":
            route = str(scope.get("path_template") or "unrouted")
            prometheus.observe(scope["method"], route, message["status"], time.perf_counter() - started_at)
        await send(message)

    return counting
