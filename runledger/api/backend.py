"""What the routes work with: the two databases, the log, the dispatcher, the blobs and the hub.

Routes are synchronous functions run in a bounded pool of threads (`api.app`), so no database work happens
on the event loop. What waits, waits on the loop; but for uploads, which have threads of their own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec
from litestar.concurrency import sync_to_thread
from sqlalchemy import Connection, Engine

from runledger.api.answers import TelemetryPlace
from runledger.api.errors import PositionNotReached
from runledger.api.http.gate import Gate
from runledger.api.hub import Hub
from runledger.api.settings import ApiSettings
from runledger.projections import builds, positions
from runledger.tracker.blobs import Blobs
from runledger.tracker.datasets import Contents
from runledger.tracker.dispatch import Dispatcher
from runledger.tracker.ids import ExperimentId, Stream
from runledger.tracker.settings import StorageSettings
from runledger.tracker.store import engine as engines
from runledger.tracker.store.log import Log

POLL_SECONDS = 0.02
UPLOADS = 4
"""At a time; more of them wait."""


class Views(msgspec.Struct, frozen=True):
    """The read models, at least as far as the reader asked for."""

    engine: Engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with builds.reading(self.engine) as conn:
            yield conn


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    settings: ApiSettings
    ledger: Engine
    views: Views
    log: Log
    dispatcher: Dispatcher
    blobs: Blobs
    hub: Hub
    uploading: ThreadPoolExecutor
    """What waits for the body of an upload, waits here."""
    made: dict[str, Contents] = {}
    """What generators made in the life of this process, by generator and options."""
    registered: set[Stream] = set()
    """Streams of datasets and benchmarks that are known to be registered: they stay so."""
    named: dict[str, ExperimentId] = {}
    """The experiment that was found under a name last (`api.writing.naming`)."""
    started: set[tuple[str, int]] = set()
    """Attempts, by run and number, that are known to have started elsewhere (`api.writing.attempts`)."""

    told: dict[tuple[str, int, int], TelemetryPlace] = {}
    """By run, attempt and epoch, how far its telemetry is, as far as is known (`api.writing.telemetry`)."""
    gate: Gate

    @contextmanager
    def rows(self) -> Iterator[Connection]:
        """The rows beside the log: leases, workers, tokens, the queue."""
        with engines.read(self.ledger) as conn:
            yield conn

    async def caught_up(self, after: int | None, projections: Collection[str] = ()) -> Views:
        """The read models once those named, or all, are at `after`: never stale rows.

        Raises `PositionNotReached`.
        """
        needed = after or 0
        deadline = time.monotonic() + self.settings.after_seconds
        while needed and (reached := await sync_to_thread(self.reached, projections)) < needed:
            if time.monotonic() > deadline:
                raise PositionNotReached(needed, reached)
            await asyncio.sleep(POLL_SECONDS)
        return self.views

    def reached(self, projections: Collection[str] = ()) -> int:
        """How far the slowest of these projections is, or of all."""
        with self.views.read() as conn:
            found = positions.positions(conn)
        return min(at for name, at in found.items() if not projections or name in projections)

    def close(self) -> None:
        self.hub.close()
        self.uploading.shutdown(wait=False, cancel_futures=True)
        self.log.close()
        self.ledger.dispose()
        self.views.engine.dispose()


def open_backend(settings: ApiSettings, storage: StorageSettings) -> Backend:
    """Opens both databases, which must have been migrated. Raises `StoreUnavailable`."""
    return backend_over(
        settings,
        ledger=engines.open_ledger(storage.ledger),
        views=engines.open_views(storage.views),
        blobs=Blobs(storage.blobs),
    )


def backend_over(settings: ApiSettings, *, ledger: Engine, views: Engine, blobs: Blobs) -> Backend:
    log = Log(ledger)
    return Backend(
        settings=settings,
        ledger=ledger,
        views=Views(views),
        log=log,
        dispatcher=Dispatcher(log, clock=lambda: datetime.now(UTC)),
        blobs=blobs,
        hub=Hub(log),
        uploading=ThreadPoolExecutor(UPLOADS, "upload"),
        gate=Gate(settings.telemetry_bytes),
    )
