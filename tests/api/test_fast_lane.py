"""The short way of batches of points: what goes it, and that nobody can tell it from the ordinary one."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest

from runledger.api.batches import MSGPACK
from runledger.api.courier.door import Door, Holding
from runledger.api.courier.forms import encode
from runledger.api.rest.fast_lane import ROUTE, FastLane
from runledger.api.writing import telemetry
from tests.api.conftest import Api
from tests.api.elsewhere import begun
from tests.api.test_ingest import Sender, points

ORDINARY = {"X-Request-Id": "a request with an id goes the ordinary way"}
BODY = encode("columns", points(), 1)
COUNTED = f'runledger_http_requests_total{{method="POST",route="{ROUTE}",status="200"}}'


def scope_of(path: str, headers: dict[str, str]) -> dict[str, Any]:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": raw,
        "user": "api:local",
    }


def usual(api: Api) -> dict[str, Any]:
    """A batch as a courier sends it."""
    executor = begun(api)
    headers = {"Content-Type": MSGPACK, "Content-Length": str(len(BODY)), "X-Lease-Epoch": "1"}
    return scope_of(f"/api/v1/runs/{executor.run_id}/attempts/{executor.attempt}/metrics", headers)


def goes_the_short_way(api: Api, scope: dict[str, Any]) -> bool:
    ordinary: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ordinary.append(scope)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Any) -> None:
        assert not ordinary

    lane = FastLane(cast(Any, app), api.backend)
    asyncio.run(lane(cast(Any, scope), cast(Any, receive), cast(Any, send)))
    return not ordinary


def test_what_the_courier_sends_goes_the_short_way(api: Api) -> None:
    executor = begun(api)
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard: list[str] = []

        def answer() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as request:
                heard.extend(iter(lambda: request.readline().decode().strip(), ""))
                body = b'{"version": 1, "batch": 1, "position": 1}'
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        thread = threading.Thread(target=answer)
        thread.start()
        with Door(f"http://127.0.0.1:{server.getsockname()[1]}") as door:
            holding = Holding(run_id=executor.run_id, attempt=executor.attempt, epoch=executor.epoch)
            door.metrics(holding, 1, points())
        thread.join()
    path = heard[0].split()[1]
    headers = dict(line.split(": ", 1) for line in heard[1:])
    assert goes_the_short_way(api, scope_of(path, headers))


@pytest.mark.parametrize(
    "unusual",
    [
        {"method": "GET"},
        {"query_string": b"after=1"},
        {"path": "/api/v1/runs/a/attempts/0/metrics"},
        {"path": "/api/v1/runs/a/attempts/1/output"},
        {"path": "/api/v1/runs/a b/attempts/1/metrics"},
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": "text/plain"},
        {"Content-Length": "2097153"},
        {"Content-Length": "-1"},
        {"X-Lease-Epoch": "0"},
        {"X-Lease-Epoch": "one"},
        {"Origin": "http://127.0.0.1:8600"},
        {"X-Request-Id": "mine"},
    ],
)
def test_what_is_unusual_about_a_request_is_left_to_the_ordinary_way(
    api: Api, unusual: dict[str, Any]
) -> None:
    scope = usual(api)
    for name, value in unusual.items():
        if name in ("method", "query_string", "path"):
            scope[name] = value
        else:
            raw = name.lower().encode()
            scope["headers"] = [each for each in scope["headers"] if each[0] != raw] + [(raw, value.encode())]
    assert not goes_the_short_way(api, scope)


def test_a_header_that_comes_twice_is_left_to_the_ordinary_way(api: Api) -> None:
    scope = usual(api)
    scope["headers"].append((b"x-lease-epoch", b"2"))
    assert not goes_the_short_way(api, scope)


class Both:
    """Sends a request the short way, then the ordinary way."""

    def __init__(self, api: Api) -> None:
        self.sender = Sender(begun(api))
        self.client = api.client

    def answers(self, body: bytes, epoch: int = 1) -> list[httpx.Response]:
        executor = self.sender.executor
        path = f"/api/v1/runs/{executor.run_id}/attempts/{executor.attempt}/metrics"
        headers = {"Content-Type": MSGPACK, "X-Lease-Epoch": str(epoch)}
        return [self.client.post(path, content=body, headers=headers | more) for more in ({}, ORDINARY)]


@pytest.mark.parametrize(
    ("make", "epoch", "status"),
    [
        (lambda: BODY, 1, 200),
        (lambda: BODY, 7, 409),
        (lambda: encode("columns", points(), 5), 1, 409),
        (lambda: encode("columns", points(keys=("",)), 1), 1, 422),
        (lambda: b"\x80", 1, 422),
        (lambda: b"\xc1", 1, 400),
    ],
)
def test_both_ways_give_the_same_answer(api: Api, make: Callable[[], bytes], epoch: int, status: int) -> None:
    short, ordinary = Both(api).answers(make(), epoch)
    assert short.status_code == ordinary.status_code == status, short.text
    assert short.content == ordinary.content
    assert dict(short.headers) == dict(ordinary.headers)


def test_both_ways_are_counted_as_the_same_route(api: Api) -> None:
    def counted() -> list[str]:
        lines = api.client.get("/metrics").text.splitlines()
        return [line for line in lines if line.startswith(COUNTED)]

    both = Both(api)
    before = sum(float(line.rpartition(" ")[2]) for line in counted())
    both.answers(BODY)
    [line] = counted()
    assert float(line.rpartition(" ")[2]) == before + 2


def test_a_defect_is_an_answer_that_says_nothing_of_it(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    both = Both(api)

    def fail(*arguments: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(telemetry, "_new", fail)
    short, ordinary = both.answers(BODY)
    assert short.status_code == ordinary.status_code == 500
    assert short.json() == ordinary.json() and "secret" not in short.text


def test_nothing_is_awaited_behind_the_last_byte_that_was_declared(api: Api) -> None:
    scope = usual(api)
    parts, statuses = [BODY[:10], BODY[10:]], list[int]()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": parts.pop(0), "more_body": True}

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    lane = FastLane(cast(Any, None), api.backend)
    asyncio.run(lane(cast(Any, scope), cast(Any, receive), cast(Any, send)))
    assert (statuses[0], parts) == (200, [])


def test_a_body_that_breaks_off_is_400(api: Api) -> None:
    scope = usual(api)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    lane = FastLane(cast(Any, None), api.backend)
    asyncio.run(lane(cast(Any, scope), cast(Any, receive), cast(Any, send)))
    assert sent[0]["status"] == 400 and b"broke off" in sent[1]["body"]
