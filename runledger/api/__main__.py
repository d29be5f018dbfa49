"""`python -P -m runledger.api`: the API as a process of its own, served by granian."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from litestar.concurrency import set_asyncio_executor

from runledger.api import tokens
from runledger.api.app import create_app
from runledger.api.backend import Backend, open_backend
from runledger.api.settings import ApiSettings
from runledger.tracker.errors import BadSetting, StoreUnavailable
from runledger.tracker.settings import StorageSettings, load

logger = logging.getLogger("runledger.api")

CONNECTIONS = 8_192
"""Open at a time; the next waits until one ends. A viewer of events is one for as long as it watches."""
BACKLOG = 1_024
EXIT_UNAVAILABLE = 69
EXIT_CONFIG = 78


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("_granian").setLevel(logging.WARNING)
    try:
        settings = load(ApiSettings, os.environ)
        check_port(settings)
        backend = open_backend(settings, load(StorageSettings, os.environ))
        check_tokens(settings, backend)
    except BadSetting as problem:
        logger.critical("%s", problem)
        return EXIT_CONFIG
    except StoreUnavailable as problem:
        logger.critical("%s", problem)
        return EXIT_UNAVAILABLE
    allow_connections()
    set_asyncio_executor(ThreadPoolExecutor(settings.threads, "request"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, backend))
    return 0


def allow_connections() -> None:
    """As many open files as this process may have: often a quarter of it is what it begins with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS if hard == resource.RLIM_INFINITY else min(2 * CONNECTIONS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def check_tokens(settings: ApiSettings, backend: Backend) -> None:
    """Off loopback nobody gets in without a token, so there must be one. Raises `BadSetting`."""
    if not settings.is_loopback and not tokens.has_tokens(backend.ledger):
        raise BadSetting(
            "RUNLEDGER_HOST",
            f"{settings.host} is not loopback: make a token first, with `runledger token create NAME`",
        )


def check_port(settings: ApiSettings) -> None:
    """Raises `BadSetting` where the address cannot be bound: taken, or not of this machine."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as problem:
        raise BadSetting(
            "RUNLEDGER_PORT", f"cannot bind {settings.host}:{settings.port}: {problem}"
        ) from None


async def serve(settings: ApiSettings, backend: Backend) -> None:
    """Until SIGTERM or SIGINT; then the open streams end and what is being answered is finished."""
    server = Server(
        create_app(backend),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
        backlog=BACKLOG,
        backpressure=CONNECTIONS,
    )
    gc.collect()
    gc.freeze()  # what is there now stays: collections that look at all of it would stop the loop for long
    loop = asyncio.get_running_loop()
    serving = asyncio.create_task(server.serve())

    def stop() -> None:
        backend.hub.close()
        server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    logger.info("listening on http://%s:%s", settings.host, settings.port)
    await serving


if __name__ == "__main__":
    sys.exit(main())
