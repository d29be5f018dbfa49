"""The client against answers made here; that the real API gives such answers is for the system tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import runledger
from runledger.api import client
from runledger.api.client import Client

Handler = Callable[[httpx.Request], httpx.Response]
LAUNCHED = {
    "run_id": "r1",
    "experiment_id": "e1",
    "position": 7,
    "version": 1,
    "links": {},
    "something newer": True,
}
SERIES = {"key": "k", "points": 0, "non_finite": 0, "attempt": [], "step": [], "time": [], "value": []}
PROBLEM = {
    "type": "urn:runledger:problem:x",
    "title": "Bad input",
    "status": 422,
    "detail": "$.seed: no",
}


def talking_to(handler: Handler, **options: Any) -> Client:
    return Client("http://ledger", transport=httpx.MockTransport(handler), **options)


def answering(*answers: httpx.Response | Exception) -> tuple[Client, list[httpx.Request]]:
    """A client whose requests meet these answers, one after the other, and the requests."""
    waiting, requests = list(answers), []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return talking_to(handler), requests


def fact(position: int) -> str:
    return (
        f'{{"position": {position}, "stream": "run-r1", "version": {position}, "type": "RunStarted",'
        f' "event_id": "00000000-0000-0000-0000-00000000000{position}", "schema": 1,'
        ' "recorded_at": "2026-01-01T00:00:00Z", "occurred_at": "2026-01-01T00:00:00Z", "actor": "a",'
        ' "correlation_id": null, "causation_id": null, "data": {}}'
    )


def stream(*positions: int) -> httpx.Response:
    text = "".join(f"id: {at}\nevent: RunStarted\ndata: {fact(at)}\n\n" for at in positions)
    return httpx.Response(200, text=f": hello\n\n{text}", headers={"content-type": "text/event-stream"})


def test_a_launch_sends_what_was_asked_and_nothing_that_was_not() -> None:
    ledger, requests = answering(httpx.Response(201, json=LAUNCHED))

    launched = ledger.launch("lm", experiment="adding", spec={"seed": 1}, priority=None)

    assert launched.run_id == "r1"
    assert requests[0].url == "http://ledger/api/v1/runs"
    assert requests[0].read() == b'{"recipe":"lm","experiment":"adding","spec":{"seed":1}}'


def test_a_launch_is_repeated_under_the_same_key_when_the_connection_breaks() -> None:
    ledger, requests = answering(httpx.ReadError("reset"), httpx.Response(201, json=LAUNCHED))

    ledger.launch("lm", experiment="adding")

    first, second = (request.headers["Idempotency-Key"] for request in requests)
    assert first == second


def test_what_may_not_be_repeated_is_sent_once() -> None:
    ledger, requests = answering(httpx.ReadError("reset"))

    with pytest.raises(client.NotReachable, match="no Runledger answers at http://ledger: reset"):
        ledger.retry("r1")
    assert len(requests) == 1


def test_nobody_there_is_said_after_a_bounded_time() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(client.NotReachable):
        talking_to(refuse, retry_seconds=0.2).health()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, client.Invalid),
        (422, client.Invalid),
        (404, client.NotFound),
        (401, client.Refused),
        (409, client.Refused),
        (412, client.Refused),
        (503, client.Unavailable),
        (500, client.ServerFault),
    ],
)
def test_a_problem_document_becomes_an_error(status: int, kind: type[client.Problem]) -> None:
    ledger, _ = answering(httpx.Response(status, json=PROBLEM))

    with pytest.raises(kind, match=r"Bad input: \$.seed: no") as caught:
        ledger.run("r1")

    assert caught.value.status == status
    assert caught.value.document == PROBLEM


@pytest.mark.parametrize("answer", [httpx.Response(502, text="<html>"), httpx.Response(200, text="{}")])
def test_an_answer_of_something_else_is_told_apart(answer: httpx.Response) -> None:
    ledger, _ = answering(answer)

    with pytest.raises(client.BadAnswer):
        ledger.run("r1")


def test_all_pages_are_read_by_their_cursors() -> None:
    pages = [
        httpx.Response(200, json={"items": [], "next": "abc"}),
        httpx.Response(200, json={"items": [], "next": None}),
    ]
    ledger, requests = answering(*pages)

    assert list(ledger.runs(status="running")) == []
    assert [request.url.query for request in requests] == [b"status=running", b"status=running&cursor=abc"]


def test_following_goes_on_where_a_broken_stream_ended() -> None:
    ledger, requests = answering(stream(1, 2), httpx.ConnectError("refused"), stream(3))

    facts: Iterator[runledger.Fact] = ledger.follow("r1", after=0)
    positions = [next(facts).position for _ in range(3)]

    assert positions == [1, 2, 3]
    assert [request.url.params["after"] for request in requests] == ["0", "2", "2"]


def test_a_refused_stream_is_an_error() -> None:
    ledger, _ = answering(httpx.Response(401, json=PROBLEM))

    with pytest.raises(client.Refused):
        next(ledger.follow())


def test_a_download_that_breaks_leaves_no_file(tmp_path: Path) -> None:
    ledger, _ = answering(httpx.Response(404, json=PROBLEM))

    with pytest.raises(client.NotFound):
        ledger.download("d" * 64, tmp_path / "state")
    assert list(tmp_path.iterdir()) == []


def test_a_download_is_whole_when_it_bears_its_name(tmp_path: Path) -> None:
    ledger, _ = answering(httpx.Response(200, content=b"bytes"))

    ledger.download("d" * 64, tmp_path / "state")

    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert (tmp_path / "state").read_bytes() == b"bytes"


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("train/loss", b"/api/v1/runs/r1/metrics/train/loss"),
        ("loss?x=1#a b", b"/api/v1/runs/r1/metrics/loss%3Fx%3D1%23a%20b"),
        ("../../health", b"/api/v1/runs/r1/metrics/%2E%2E/%2E%2E/health"),
        ("100%", b"/api/v1/runs/r1/metrics/100%25"),
    ],
)
def test_a_name_is_never_more_than_a_part_of_the_path(key: str, path: bytes) -> None:
    ledger, requests = answering(httpx.Response(200, json=SERIES))
    ledger.series("r1", key)
    assert requests[0].url.raw_path.partition(b"?")[0] == path


def test_the_token_is_sent() -> None:
    seen: list[str] = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        return httpx.Response(200, json={"items": []})

    talking_to(note, token="rl_x").recipes()
    assert seen == ["Bearer rl_x"]


def test_a_time_is_asked_for_its_position_once_and_told_on() -> None:
    moment = "2026-11-21T12:00:00Z"
    answer = httpx.Response(200, json={"items": [], "next": None}, headers={"X-As-Of": "4711"})
    client, requests = answering(answer, httpx.Response(200, json={"items": [], "next": None}))
    assert client.position_of(moment) == 4711
    assert client.metrics("r", as_of=4711) == []
    assert [dict(request.url.params).get("as_of") for request in requests] == [moment, "4711"]
