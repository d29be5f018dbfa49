"""A tracker that really listens, over databases of the test's own, and a way to it that can be disturbed."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from sqlalchemy import Connection

from runledger.api.app import create_app
from runledger.api.backend import backend_over
from runledger.api.cli.preflight import free_port
from runledger.api.settings import ApiSettings
from runledger.projections.runner import Runner
from runledger.tracker.aggregates.run import LoseAttempt, RequestCancellation
from runledger.tracker.blobs import Blobs
from runledger.tracker.ids import RunId, run_stream
from runledger.tracker.store import leases
from runledger.tracker.store.engine import open_ledger, open_views, read
from tests.trainer.world import SOMEBODY, World

START_SECONDS = 30.0


class Tracker:
    """Serves from a thread; may be stopped, and comes back at the same address with what it has.

    `world` reads what its log has, past the API.
    """

    def __init__(self, urls: tuple[str, str], folder: Path, **settings: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.world = World(folder, urls[0])
        self.urls = urls
        self._settings = ApiSettings(port=self.port, **settings)
        self.start()

    def start(self) -> None:
        ledger, views = open_ledger(self.urls[0]), open_views(self.urls[1])
        blobs = Blobs(f"file://{self.world.folder / 'blobs'}")
        self.backend = backend_over(self._settings, ledger=ledger, views=views, blobs=blobs)
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        assert started.wait(START_SECONDS)

    async def _serve(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = Server(
            create_app(self.backend),
            address="127.0.0.1",
            port=self.port,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,
            websockets=False,
            log_enabled=False,
        )
        serving = asyncio.create_task(self._server.serve())
        started.set()
        await serving

    def project(self) -> None:
        """What the projections process does, once: the API reads runs from what it makes."""
        runner = Runner(self.world.log, self.backend.views.engine)
        runner.catch_up()

    def stop(self) -> None:
        """Its databases are left to the next `start`."""
        self._loop.call_soon_threadsafe(self._server.stop)
        self._thread.join(START_SECONDS)
        assert not self._thread.is_alive()
        self.backend.close()

    def close(self) -> None:
        if self._thread.is_alive():
            self.stop()
        self.world.close()


def cancel(tracker: Tracker, run_id: RunId) -> None:
    tracker.world.dispatcher.dispatch(RequestCancellation(run_id=run_id), SOMEBODY)


def lose(tracker: Tracker, run_id: RunId, *asked: RequestCancellation) -> None:
    """As the reconciler does it for a lease that has expired, just after something was asked of the run."""
    stream = run_stream(run_id)
    with read(tracker.world.engine) as conn:
        lease = leases.get(conn, stream)
    assert lease is not None

    def revoke(conn: Connection) -> None:
        assert leases.revoke(conn, stream, lease.epoch)

    command = LoseAttempt(run_id=run_id, attempt=1)
    tracker.world.dispatcher.dispatch_all(*asked, command, metadata=SOMEBODY, within=revoke)


class Asked(NamedTuple):
    """A request on its way."""

    method: str
    path: str
    count: int
    """Of the requests of this method and this path, from 1."""


class Refuse(NamedTuple):
    """What is answered instead of passing a request on."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


LOSE_REQUEST = "lose the request"
LOSE_ANSWER = "lose the answer"
Verdict = Refuse | str | None
"""None passes the request on, and its answer back."""


class Meddler:
    """Stands between a courier and its tracker, and does with each request what `judge` says."""

    def __init__(self, port: int, judge: Callable[[Asked], Verdict]) -> None:
        self.judge = judge
        self.asked: list[Asked] = []
        self._tracker = port
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _see(self, method: str, path: str) -> Verdict:
        count = 1 + sum((each.method, each.path) == (method, path) for each in self.asked)
        self.asked.append(Asked(method, path, count))
        return self.judge(self.asked[-1])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        meddler = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                verdict = meddler._see(self.command, self.path.partition("?")[0])
                if isinstance(verdict, Refuse):
                    self._answer(verdict.status, verdict.headers, verdict.body)
                    return
                answer = None if verdict == LOSE_REQUEST else self._pass_on(body)
                if answer is None or verdict == LOSE_ANSWER:
                    self.close_connection = True
                    return
                self._answer(*answer)

            do_POST = do_PUT = do_HEAD = do_GET

            def _pass_on(self, body: bytes) -> tuple[int, tuple[tuple[str, str], ...], bytes] | None:
                upstream = http.client.HTTPConnection("127.0.0.1", meddler._tracker, timeout=30)
                try:
                    upstream.request(self.command, self.path, body, dict(self.headers))
                    answer = upstream.getresponse()
                    headers = (("Content-Type", answer.headers.get("Content-Type", "")),)
                    return answer.status, headers, answer.read()
                except OSError:
                    return None
                finally:
                    upstream.close()

            def _answer(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                """Nothing is said of what is meant to go wrong."""

        return Handler
