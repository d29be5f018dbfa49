"""The sink's process: holds the lease, keeps the loop alive, begins anew where another has been at work."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Engine

from runledger.projections.mlflow.driver import MlflowDriver
from runledger.projections.mlflow.errors import MlflowError, TakenOver
from runledger.projections.mlflow.experiments import Experiments
from runledger.projections.mlflow.reading import Reader
from runledger.projections.mlflow.settings import MlflowSettings
from runledger.projections.mlflow.sink import Pace, Sink
from runledger.projections.mlflow.state import LEASE, SinkState
from runledger.projections.mlflow.writing import RunWriter
from runledger.tracker.blobs import Blobs
from runledger.tracker.errors import CursorMoved, StoreUnavailable, UnknownEvent
from runledger.tracker.store import leases
from runledger.tracker.store.engine import write
from runledger.tracker.store.log import Log

logger = logging.getLogger(__name__)

TTL_SECONDS = 10.0
RENEW_SECONDS = 2.5
WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 15.0


class Lease:
    """Held while a thread renews it; `check` raises `TakenOver` once somebody else has it."""

    def __init__(self, ledger: Engine, epoch: int) -> None:
        self._ledger = ledger
        self._epoch = epoch
        self._lost = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="mlflow-lease", daemon=True)

    def check(self) -> None:
        if self._lost.is_set():
            raise TakenOver("another sink holds the lease")

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._end.set()
        self._thread.join()
        with write(self._ledger) as conn:
            leases.release(conn, LEASE, self._epoch)

    def _renew(self) -> None:
        """An unreachable database is no reason to stop; only somebody else's epoch is."""
        while not self._end.wait(RENEW_SECONDS):
            try:
                if not leases.renew(self._ledger, LEASE, self._epoch, TTL_SECONDS):
                    self._lost.set()
                    return
            except StoreUnavailable as problem:
                logger.warning("the lease cannot be renewed: %s", problem)


def serve(
    ledger: Engine,
    views: Engine,
    blobs: Blobs,
    driver: MlflowDriver,
    settings: MlflowSettings,
    stop: threading.Event,
    pace: Pace | None = None,
) -> None:
    """Until `stop` is set. An older sink does not skip newer facts: it says so, and waits for a newer one."""
    wait = WAIT_SECONDS
    unread: UnknownEvent | None = None
    while not stop.is_set():
        try:
            with _lease(ledger) as lease:
                if lease is not None:
                    _check_passed(SinkState(views, settings.mlflow_url), unread)
                    _serve_once(ledger, views, blobs, driver, settings, stop, pace, lease)
                    wait = WAIT_SECONDS
        except (TakenOver, CursorMoved) as moved:
            logger.info("the sink stops its work: %s", moved)
        except StoreUnavailable as problem:
            logger.warning("the sink waits: %s", problem)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)
        except UnknownEvent as problem:
            if unread is None:
                logger.error("the sink stops: %s", problem)
            unread = problem
            SinkState(views, settings.mlflow_url).note(datetime.now(UTC), str(problem))
            wait = LONGEST_WAIT_SECONDS
        except MlflowError as problem:
            logger.error("MLflow refuses to say what it holds: %s", problem)
            SinkState(views, settings.mlflow_url).note(datetime.now(UTC), str(problem))
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)
        stop.wait(wait)


def _check_passed(state: SinkState, unread: UnknownEvent | None) -> None:
    """Once a newer sink has told what this one could not read, this one may stand in for it again."""
    if unread is not None and unread.position is not None and state.position() < unread.position:
        raise unread


def _serve_once(
    ledger: Engine,
    views: Engine,
    blobs: Blobs,
    driver: MlflowDriver,
    settings: MlflowSettings,
    stop: threading.Event,
    pace: Pace | None,
    lease: Lease,
) -> None:
    log = Log(ledger)
    try:
        make_sink(log, views, blobs, driver, settings, pace=pace, check=partial(_check, stop, lease)).run(
            stop
        )
    finally:
        log.close()


def _check(stop: threading.Event, lease: Lease) -> None:
    lease.check()
    if stop.is_set():
        raise TakenOver("told to stop")


def make_sink(
    log: Log,
    views: Engine,
    blobs: Blobs,
    driver: MlflowDriver,
    settings: MlflowSettings,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    pace: Pace | None = None,
    check: Callable[[], None] = lambda: None,
) -> Sink:
    """A sink with all its parts; `check` runs before each call to MLflow."""
    state = SinkState(views, settings.mlflow_url)
    experiments = Experiments(log, driver)
    writer = RunWriter(driver, state, make_reader(log, settings), experiments, blobs, check)
    return Sink(log, driver, state, experiments, writer, clock=clock, pace=pace)


def make_reader(log: Log, settings: MlflowSettings) -> Reader:
    return Reader(log, public_url=settings.public_url, artifact_bytes=settings.mlflow_artifact_bytes)


@contextmanager
def _lease(ledger: Engine) -> Iterator[Lease | None]:
    """None where another sink holds it."""
    holder = f"{socket.gethostname()}:{os.getpid()}"
    with write(ledger) as conn:
        epoch = leases.claim(conn, LEASE, 1, holder, TTL_SECONDS)
    if epoch is None:
        yield None
        return
    lease = Lease(ledger, epoch)
    lease.start()
    try:
        yield lease
    finally:
        lease.end()
