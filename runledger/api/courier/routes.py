"""Which connection leads to an address: straight, or through the proxy that the environment names."""

from __future__ import annotations

import http.client
import os
import ssl
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

CHUNK_BYTES = 1 << 18


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How to open a connection, and what each request over it needs more."""

    goal: SplitResult
    proxy: SplitResult | None = None

    @property
    def prefix(self) -> str:
        """What stands before each path: a proxy is told the whole address."""
        if self.proxy is not None and self.goal.scheme == "http":
            return f"http://{self.goal.netloc}{self.goal.path}"
        return self.goal.path

    @property
    def headers(self) -> dict[str, str]:
        """What each request carries for a proxy that reads it."""
        return _credentials(self.proxy) if self.proxy is not None and self.goal.scheme == "http" else {}

    def connection(self, timeout_seconds: float) -> http.client.HTTPConnection:
        """Not opened yet: its first request does that."""
        goal, end = self.goal, self.proxy or self.goal
        host = end.hostname or ""
        if goal.scheme == "http":
            return http.client.HTTPConnection(
                host, end.port or 80, timeout=timeout_seconds, blocksize=CHUNK_BYTES
            )
        made = http.client.HTTPSConnection(
            host,
            end.port or (443 if self.proxy is None else 80),
            timeout=timeout_seconds,
            context=ssl.create_default_context(),
            blocksize=CHUNK_BYTES,
        )
        if self.proxy is not None:
            made.set_tunnel(goal.hostname or "", goal.port or 443, headers=_credentials(self.proxy))
        return made


def route_to(url: str) -> Route:
    """Raises `ValueError` for what is no address of a web server."""
    goal = urlsplit(url.rstrip("/"))
    if goal.scheme not in ("http", "https") or not goal.hostname:
        raise ValueError(f"{url!r} is no http:// or https:// address")
    return Route(goal=goal, proxy=_proxy(goal))


def _proxy(goal: SplitResult) -> SplitResult | None:
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass  # 10 ms, and seldom needed

    named = getproxies()
    proxy = named.get(goal.scheme) or named.get("all")
    if not proxy or proxy_bypass(goal.netloc.rpartition("@")[2]):
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    from base64 import b64encode

    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
