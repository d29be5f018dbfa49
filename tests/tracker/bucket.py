"""A real S3 server in a thread (moto's): it can be told to answer with faults, and counts what it sends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
FORBIDDEN = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
Fault = tuple[str, bytes]


class Bucket:
    """`fault` says for method and path whether a request fails; None lets it pass."""

    name = "kept"

    def __init__(self) -> None:
        self.fault: Callable[[str, str], Fault | None] = lambda method, path: None
        self.sent_bytes = 0
        self.requests: list[str] = []
        self._lock = threading.Lock()
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], f"{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
        with self._lock:
            self.requests.append(f"{method} {path}")
            fault = self.fault(method, path)
        if fault is not None:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start(fault[0], [("Content-Type", "application/xml"), ("Content-Length", str(len(fault[1])))])
            return [fault[1]]
        return self._counted(self._moto(environ, start))

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.sent_bytes += len(chunk)
            yield chunk


@contextmanager
def serving() -> Iterator[tuple[Bucket, str]]:
    """The bucket and the address of its server."""
    bucket = Bucket()
    server: Any = make_server("127.0.0.1", 0, bucket, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield bucket, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(timeout=30)
    server.server_close()
