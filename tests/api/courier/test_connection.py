"""One kept connection: what each answer means, and what is done where there is none."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from runledger.api.courier.connection import Connection
from runledger.api.courier.errors import (
    AttemptOver,
    BadAnswer,
    Behind,
    Denied,
    DoorError,
    LeaseLost,
    NotReachable,
    RefusedFact,
    Unknown,
)
from runledger.api.courier.routes import route_to
from tests.api.courier.tracker import LOSE_REQUEST, Asked, Meddler, Refuse, Verdict

Answering = Callable[..., Connection]


def problem(name: str, status: int, **members: Any) -> Refuse:
    document = {"type": f"urn:runledger:problem:{name}", "title": "T", "detail": "why", **members}
    return Refuse(status, json.dumps(document).encode())


@pytest.fixture
def answering() -> Iterator[Answering]:
    """A connection to a server whose answers, in order, are these; the last one again and again."""
    made: list[Meddler] = []
    opened: list[Connection] = []

    def serve(*verdicts: Verdict, **options: Any) -> Connection:
        def judge(asked: Asked) -> Verdict:
            return verdicts[min(len(made[-1].asked), len(verdicts)) - 1]

        made.append(Meddler(0, judge))
        opened.append(Connection(made[-1].url, **options))
        return opened[-1]

    yield serve
    for connection, server in zip(opened, made, strict=True):
        connection.close()
        server.close()


GOOD = Refuse(200, b'{"a": 1}')


@pytest.mark.parametrize(
    ("verdict", "error"),
    [
        (problem("store-unavailable", 503), NotReachable),
        (problem("too-busy", 429), NotReachable),
        (Refuse(408), NotReachable),
        (Refuse(500, b"oops"), NotReachable),
        (Refuse(502, b"<html>a proxy</html>"), NotReachable),
        (problem("unauthorized", 401), Denied),
        (problem("unknown-host", 421), Denied),
        (problem("lease-lost", 409), LeaseLost),
        (problem("attempt-ended", 409), AttemptOver),
        (problem("attempt-already-started", 409), NotReachable),
        (problem("run-refused", 409), RefusedFact),
        (problem("invalid", 422), RefusedFact),
        (problem("not-found", 404), Unknown),
        (problem("blob-missing", 404), RefusedFact),
        (Refuse(404, b"<html>another server</html>"), BadAnswer),
        (Refuse(301, b""), BadAnswer),
        (Refuse(200, b"<html>another server</html>"), BadAnswer),
    ],
)
def test_each_answer_is_an_error_of_its_own(
    answering: Answering, verdict: Refuse, error: type[DoorError]
) -> None:
    with pytest.raises(error) as found:
        answering(verdict).ask(dict, "POST", "/facts", b"{}")
    assert type(found.value) is error


def test_only_what_says_so_in_our_words_is_a_refusal(answering: Answering) -> None:
    with pytest.raises(BadAnswer, match="answers 422, and not as Runledger does"):
        answering(Refuse(422, b'{"detail": "another service"}')).ask(dict, "POST", "/facts", b"{}")


def test_an_order_that_does_not_fit_says_where_to_go_on(answering: Answering) -> None:
    with pytest.raises(Behind) as found:
        answering(problem("out-of-order", 409, version=7, batches=5)).ask(dict, "POST", "/metrics", b"")
    assert (found.value.version, found.value.batches, found.value.output_bytes) == (7, 5, None)


@pytest.mark.parametrize(
    ("said", "seconds"), [("3", 3.0), ("0.5", 0.5), ("Sun, 22 Nov 2026 02:00:00 GMT", None)]
)
def test_the_time_to_wait_is_passed_on(answering: Answering, said: str, seconds: float | None) -> None:
    busy = Refuse(429, headers=(("Retry-After", said),))
    with pytest.raises(NotReachable) as found:
        answering(busy).ask(dict, "POST", "/metrics", b"")
    assert found.value.retry_after_seconds == seconds


def test_a_kept_connection_that_was_closed_meanwhile_is_opened_again(answering: Answering) -> None:
    connection = answering(GOOD, LOSE_REQUEST, GOOD)
    for _ in range(2):
        assert connection.ask(dict, "POST", "/facts", b"{}") == {"a": 1}


def test_a_fresh_connection_that_breaks_is_not_tried_at_once(answering: Answering) -> None:
    connection = answering(LOSE_REQUEST, GOOD)
    with pytest.raises(NotReachable):
        connection.ask(dict, "POST", "/facts", b"{}")
    assert connection.ask(dict, "POST", "/facts", b"{}") == {"a": 1}


def test_a_file_is_sent_again_from_its_start(answering: Answering) -> None:
    connection = answering(GOOD, LOSE_REQUEST, GOOD)
    for _ in range(2):
        file = io.BytesIO(bytes(1 << 20))
        assert connection.ask(dict, "PUT", "/blobs", file, {"Content-Length": str(1 << 20)}) == {"a": 1}


def test_nobody_there_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(NotReachable, match=url):
            Connection(url).ask(dict, "GET", "/")


def test_an_answer_that_never_comes_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(NotReachable, match="timed out"):
            Connection(url, timeout_seconds=0.05).ask(dict, "GET", "/")


def test_a_file_that_is_refused_before_its_end_says_why() -> None:
    """The server answers and hangs up while the body is still coming."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        refusal = problem("body-too-large", 413).body

        def refuse_early() -> None:
            client, _ = server.accept()
            client.recv(1024)
            head = f"HTTP/1.1 413 Too Large\r\nContent-Length: {len(refusal)}\r\n\r\n"
            client.sendall(head.encode() + refusal)
            client.shutdown(socket.SHUT_RD)
            client.close()

        thread = threading.Thread(target=refuse_early)
        thread.start()
        size = 256 << 20
        with pytest.raises(DoorError) as found:
            Connection(url).ask(dict, "PUT", "/blobs", _Zeros(size), {"Content-Length": str(size)})
        thread.join()
        assert isinstance(found.value, RefusedFact | NotReachable)


class _Zeros(io.RawIOBase):
    """A file of so many zeros, made as it is read."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        taken = min(size, self._left)
        self._left -= taken
        return bytes(taken)


def test_whether_something_is_there(answering: Answering) -> None:
    assert answering(Refuse(200)).has("/blobs/a")
    assert not answering(Refuse(404)).has("/blobs/a")
    with pytest.raises(NotReachable):
        answering(Refuse(503)).has("/blobs/a")


def test_each_good_answer_is_heard_of(answering: Answering) -> None:
    heard: list[int] = []
    connection = answering(GOOD, Refuse(503), on_answer=lambda: heard.append(1))
    connection.ask(dict, "GET", "/")
    with pytest.raises(NotReachable):
        connection.ask(dict, "GET", "/")
    assert len(heard) == 1


@pytest.mark.parametrize("url", ["127.0.0.1:8600", "ftp://host", "http://", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no http"):
        route_to(url)


USER = ":".join(("me", "secret"))


class TestProxies:
    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", f"http://{USER}@proxy:3128")
        monkeypatch.setenv("https_proxy", "proxy:3129")
        monkeypatch.setenv("no_proxy", "inside.example")

    def test_a_proxy_of_the_environment_is_told_the_whole_address(self) -> None:
        route = route_to("http://far.example:8600/base")
        connection = route.connection(1.0)
        assert (connection.host, connection.port) == ("proxy", 3128)
        assert route.prefix == "http://far.example:8600/base"
        assert route.headers == {"Proxy-Authorization": "Basic bWU6c2VjcmV0"}

    def test_a_tunnel_leads_to_what_is_encrypted(self) -> None:
        connection: Any = route_to("https://far.example").connection(1.0)
        assert (connection.host, connection.port) == ("proxy", 3129)
        assert (connection._tunnel_host, connection._tunnel_port) == ("far.example", 443)

    def test_what_is_near_needs_no_proxy(self) -> None:
        route = route_to("http://inside.example:8600")
        assert route.connection(1.0).host == "inside.example"
        assert route.prefix == ""
        assert route.headers == {}
