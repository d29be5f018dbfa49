"""A worker process: relay, reconciler, announcement and the threads that train, put together."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import convert

from runledger.tracker.blobs import Blobs
from runledger.tracker.dispatch import Dispatcher
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.ids import WorkerId, id_of
from runledger.tracker.settings import StorageSettings
from runledger.tracker.store import announcements, hints
from runledger.tracker.store.announcements import RecipeAnnouncement, ScorerAnnouncement, Worker
from runledger.tracker.store.dispatches import Dispatch
from runledger.tracker.store.engine import open_ledger, write
from runledger.tracker.store.log import Log
from runledger.trainer import actors, devices, leftovers, prometheus, recipes
from runledger.trainer.broker import MEMORY, open_broker, open_worker
from runledger.trainer.claims import claim_best
from runledger.trainer.loops import Loop, Prompt
from runledger.trainer.recipes import Found
from runledger.trainer.reconciler import Reconciler
from runledger.trainer.relay import Relay
from runledger.trainer.scorers import FoundScorer
from runledger.trainer.services import Services, now
from runledger.trainer.settings import TrainerSettings
from runledger.trainer.spares import Spares
from runledger.trainer.supervisor import Drain, Supervisor

logger = logging.getLogger(__name__)

RELAY_SECONDS = 1.0
"""How often the log is asked without any hint."""
RECONCILE_SECONDS = 1.0
TOUCH_SECONDS = 5.0
SPARE_SECONDS = 5.0
SWEEP_SECONDS = 10.0
EMBEDDED_RESEND_SECONDS = 2.0
FORGOTTEN_SECONDS = 3_600.0
"""A worker that ended without a word is not counted as missing for ever."""
DRAINING = "draining"
"""How a worker is announced that takes nothing any more."""
DRAIN_SECONDS = 0.2
NEVER_MILLISECONDS = 10 * 365 * 86_400 * 1_000
"""A training that is waited for takes as long as it takes."""
TELL_SECONDS = 15.0
"""How long a worker that has to end goes on telling what its attempts have left."""


def build_services(
    settings: TrainerSettings, storage: StorageSettings, environ: Mapping[str, str]
) -> Services:
    """Opens the log. Raises `StoreUnavailable` for what cannot be reached or written."""
    _check_writable(storage.data.absolute())
    log = Log(open_ledger(storage.ledger))
    installed = recipes.discover(settings.recipes, settings.scorers)
    found = tuple(each for each in installed.recipes if _is_usable("recipe", each))
    scorers = tuple(each for each in installed.scorers if _is_usable("scorer", each))
    return Services(
        log=log,
        blobs=Blobs(storage.blobs),
        dispatcher=Dispatcher(log, clock=now),
        settings=settings,
        worker=Worker(
            worker_id=WorkerId(settings.worker_id or make_worker_id()),
            recipes=tuple(_announced(each, scorers) for each in found),
            devices=devices.detect(environ),
            labels=settings.labels,
        ),
        recipes=found,
        scorers=scorers,
        data=storage.data.absolute(),
        environ=environ,
    )


def _check_writable(data: Path) -> None:
    """Every attempt writes its journal there."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    except OSError as problem:
        raise StoreUnavailable(str(data), str(problem)) from problem


def resend_seconds(settings: TrainerSettings) -> float:
    """What lies in memory is lost with its process: whoever comes next asks soon."""
    if settings.broker_url == MEMORY:
        return min(settings.resend_seconds, EMBEDDED_RESEND_SECONDS)
    return settings.resend_seconds


def make_worker_id() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"


def _is_usable(kind: str, found: Found | FoundScorer) -> bool:
    if found.problem is not None:
        logger.error("no %s at %s: %s", kind, found.reference, found.problem)
    return found.problem is None


def _announced(found: Found, scorers: tuple[FoundScorer, ...]) -> RecipeAnnouncement:
    return RecipeAnnouncement(
        name=found.name,
        version=found.version,
        digest=found.digest,
        schema=found.schema,
        presets=found.presets,
        devices=found.devices,
        description=found.description,
        scorers=(
            *(convert(each, ScorerAnnouncement, from_attributes=True) for each in scorers),
            *(convert(each, ScorerAnnouncement, from_attributes=True) for each in found.own_scorers),
        ),
    )


class Orders(msgspec.Struct, frozen=True):
    """What a worker is told from outside. `leave`: end, and preempt what trains; `drain`: end after it."""

    asked: threading.Event
    """Either of them."""
    left: threading.Event

    @classmethod
    def new(cls) -> Orders:
        return cls(threading.Event(), threading.Event())

    def drain(self) -> None:
        self.asked.set()

    def leave(self) -> None:
        self.left.set()
        self.asked.set()


class TrainerProcess:
    """All of a worker. `run` returns once it was told to end and everything has ended."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._settings = services.settings
        self._drain = Drain.new()
        self._takes_nothing = threading.Event()
        """It ends, at once or once it has done what it does."""
        self._broker = open_broker(self._settings.broker_url, self._settings.queue)
        self._actor = actors.declare(self._broker, self._settings.queue, self._wake)
        self._relay = Relay(services.log, self._send)
        self._reconciler = Reconciler(
            services.log,
            services.dispatcher,
            self._send,
            lease_seconds=self._settings.lease_seconds,
            resend_seconds=resend_seconds(self._settings),
            could_execute=self._could_execute,
        )
        self._spares = Spares(self._settings.spare_seconds)
        prometheus.SPARES.set_function(lambda: float(self._spares.is_ready))
        self._hints = hints.listen(services.log.engine)
        self._free = threading.BoundedSemaphore(self._settings.worker_threads)

    def run(self, orders: Orders) -> None:
        self._announce()
        loops = self._loops()
        worker = open_worker(self._broker, self._settings.worker_threads, self._settings.broker_url)
        worker.start()
        for loop in loops:
            loop.start()
        logger.info("worker %s is ready", self._services.worker_id)
        orders.asked.wait()
        self._takes_nothing.set()
        self._spares.close()
        stopping = threading.Thread(target=worker.stop, args=(NEVER_MILLISECONDS,), name="stop", daemon=True)
        stopping.start()
        self._finish(stopping, orders.left)
        self._end(stopping, loops)

    def _loops(self) -> list[Loop]:
        """Who takes nothing sends nothing either: what a relay sends in memory, it sends to itself."""
        prompt = Prompt(self._hints).wait
        reconcile_seconds = min(RECONCILE_SECONDS, self._settings.lease_seconds / 10)
        return [
            Loop("relay", RELAY_SECONDS, self._relay.step, self._takes_nothing, prompt),
            Loop("reconciler", reconcile_seconds, self._reconciler.step, self._takes_nothing),
            Loop("announcement", TOUCH_SECONDS, self._touch, self._drain.begun),
            Loop("spare", SPARE_SECONDS, self._spares.look, self._takes_nothing),
            Loop("leftovers", SWEEP_SECONDS, self._sweep, self._drain.begun),
        ]

    def _finish(self, stopping: threading.Thread, left: threading.Event) -> None:
        """Wait for what trains, but not for longer than until it is told to leave at once."""
        if not left.is_set():
            logger.info("worker %s is drained", self._services.worker_id)
        while stopping.is_alive() and not left.wait(DRAIN_SECONDS):
            continue

    def _end(self, stopping: threading.Thread, loops: list[Loop]) -> None:
        """Preempt what trains, tell it, withdraw."""
        logger.info("worker %s ends", self._services.worker_id)
        self._drain.begun.set()
        patience = self._settings.grace_seconds + self._settings.terminate_seconds + TELL_SECONDS
        expiry = threading.Timer(patience, self._drain.expired.set)
        expiry.daemon = True
        expiry.start()
        stopping.join(patience + TELL_SECONDS)
        expiry.cancel()
        self._drain.expired.set()
        for loop in loops:
            loop.join(timeout=TELL_SECONDS)
        self._hints.close()
        self._withdraw()
        self._broker.close()
        self._services.log.close()

    def _could_execute(self, row: Dispatch) -> bool:
        """At once: a thread is free, and the row is for a worker like this one."""
        if not self._free.acquire(blocking=False):
            return False
        self._free.release()
        served = self._services.recipe(row.recipe, row.recipe_digest) is not None
        return served and self._services.worker.serves(row.device, row.labels)

    def _wake(self, run_id: str, attempt: int) -> None:
        """Whatever the message names: the best that waits is what is done."""
        logger.debug("woken for attempt %d of %s", attempt, run_id)
        with self._free:
            self._execute_all()

    def _execute_all(self) -> None:
        while not self._takes_nothing.is_set():
            try:
                claim = claim_best(self._services)
            except StoreUnavailable as error:
                logger.warning("nothing can be claimed: %s", error)
                return
            if claim is None:
                return
            Supervisor(self._services, claim, self._drain, self._spares).supervise()

    def _send(self, row: Dispatch) -> None:
        self._actor.send(id_of(row.stream), row.attempt)

    def _announce(self) -> None:
        with write(self._services.log.engine) as conn:
            announcements.announce(conn, self._services.worker)

    def _touch(self) -> None:
        with write(self._services.log.engine) as conn:
            state = DRAINING if self._takes_nothing.is_set() else self._services.worker.state
            if not announcements.touch(conn, self._services.worker_id, state):
                announcements.announce(conn, msgspec.structs.replace(self._services.worker, state=state))
            announcements.forget_stale(conn, FORGOTTEN_SECONDS)

    def _sweep(self) -> None:
        leftovers.sweep(self._services, self._drain.begun)

    def _withdraw(self) -> None:
        try:
            with write(self._services.log.engine) as conn:
                announcements.withdraw(conn, self._services.worker_id)
        except StoreUnavailable as error:
            logger.warning("not withdrawn: %s", error)
