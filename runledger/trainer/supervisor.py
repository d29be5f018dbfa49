"""Supervises one attempt, from the claim to its last fact.

Three things run side by side and none waits for another: the child trains and writes its journal, the
shipper brings the journal to the log, the heartbeat keeps the lease. This thread only watches. Once
another worker has taken over, the child is killed at once and nothing of it becomes a fact any more.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time

import msgspec
from sqlalchemy import Connection

from runledger.tracker.aggregates.registry import AnyCommand
from runledger.tracker.aggregates.run import FailRun, LoseAttempt, Run
from runledger.tracker.errors import BlobCorrupt, BlobMissing, Fenced, GaveUp, NotFound, Refused
from runledger.tracker.store import dispatches, leases
from runledger.trainer import prometheus
from runledger.trainer.attempt.job import Folder, Job
from runledger.trainer.child import Child, environment
from runledger.trainer.claims import Claim, load_run
from runledger.trainer.conclusion import Cause, End, conclude
from runledger.trainer.devices import DETERMINISTIC_GPU_FLAGS
from runledger.trainer.errors import Interrupted, RecipeNotHere
from runledger.trainer.facts import Facts
from runledger.trainer.folders import hold, last_lines, name_of
from runledger.trainer.heartbeat import Heartbeat
from runledger.trainer.interruption import Interruptible
from runledger.trainer.memory import out_of_memory_kills
from runledger.trainer.preparation import prepare
from runledger.trainer.progress import ProgressWatch
from runledger.trainer.retrying import Retry
from runledger.trainer.services import Services
from runledger.trainer.shipper import shipper
from runledger.trainer.spares import Kind, Spares
from runledger.trainer.watching import Reasons, Watch

logger = logging.getLogger(__name__)

MAX_TRIES = 5
"""How often the end is decided on anew because the run has changed meanwhile."""


class Drain(msgspec.Struct, frozen=True):
    """The worker has to end: `begun` preempts its attempts, `expired` gives up what cannot be told."""

    begun: threading.Event
    expired: threading.Event

    @classmethod
    def new(cls) -> Drain:
        return cls(threading.Event(), threading.Event())


class Supervisor:
    def __init__(self, services: Services, claim: Claim, drain: Drain, spares: Spares) -> None:
        self._services = services
        self._spares = spares
        self._settings = services.settings
        self._claim = claim
        self._drain = drain
        self._name = name_of(claim.run_id, claim.attempt)
        self._folder = Folder(services.attempts / self._name)
        self._retry = Retry(drain.expired)
        self._progress = ProgressWatch(self._folder.journal)
        self._heartbeat = Heartbeat(
            services.log,
            claim,
            lease_seconds=self._settings.lease_seconds,
            poll_seconds=self._settings.poll_seconds,
            progress=lambda: self._progress.now,
        )
        self._is_over = threading.Event()
        self._started_at = time.monotonic()
        facts = Facts(services, claim, self._folder)
        self._shipper = shipper(
            services, self._folder, claim.run_id, claim.attempt, facts=facts, give_up=drain.expired
        )

    def supervise(self) -> None:
        """Returns once all is told, or the lease is lost, or the worker has to end."""
        logger.info("attempt %s begins", self._name)
        with prometheus.ATTEMPTS.track_inprogress():
            try:
                self._hold_and_execute()
            except (Fenced, Refused) as refusal:
                prometheus.OVERTAKEN.inc()
                logger.error("attempt %s is over: %s", self._name, refusal)
            except GaveUp:
                logger.error("attempt %s ends untold", self._name)
        logger.info("attempt %s has ended", self._name)

    def _hold_and_execute(self) -> None:
        """What this machine cannot do fails the run with the machine's words."""
        with self._heartbeat:
            try:
                with hold(self._folder) as lock:
                    self._execute(lock)
            except OSError as problem:
                logger.exception("attempt %s", self._name)
                failed = self._failed(problem)
                self._retry(lambda: self._end(failed))
            finally:
                if self._shipper.is_complete or not self._folder.journal.exists():
                    shutil.rmtree(self._folder.path, ignore_errors=True)

    def _execute(self, lock: int) -> None:
        run = self._retry(lambda: load_run(self._services, self._claim.run_id))
        reasons = Reasons(self._heartbeat, self._drain.begun, limits=run.limits, started_at=self._started_at)
        try:
            job = self._prepare(run, reasons)
        except Interrupted as stop:
            self._check_held()
            unbegun = self._describe_end(stop.cause)
            self._retry(lambda: self._conclude(unbegun))
            return
        except (BlobMissing, BlobCorrupt, NotFound, RecipeNotHere) as problem:
            failed = self._failed(problem)
            self._retry(lambda: self._end(failed))
            return
        self._check_held()
        end = self._train(job, run, reasons, lock)
        self._check_held()
        self._retry(lambda: self._conclude(end))

    def _prepare(self, run: Run, reasons: Reasons) -> Job:
        """Raises `Interrupted` for whatever would stop the child, and where the lease is lost."""

        def reason(moved_at: float) -> Cause | None:
            return "preemption" if self._heartbeat.is_lost.is_set() else reasons.look(moved_at)

        return Interruptible(
            lambda on_chunk: prepare(self._services, self._claim, run, self._folder, on_chunk), reason
        ).run()

    def _train(self, job: Job, run: Run, reasons: Reasons, lock: int) -> End:
        """Returns once the child has ended and its journal is shipped."""
        kills = out_of_memory_kills()
        self._folder.write_job(job)
        kind = Kind(
            reference=job.reference,
            recipe_digest=job.recipe_digest,
            environ=self._environ(run.requested.device.kind),
        )
        self._progress.begin()
        child = self._spares.start(kind, self._folder, lock)
        watch = Watch(
            child,
            self._progress,
            self._heartbeat,
            reasons,
            settings=self._settings,
            on_first_step=lambda: self._spares.make(kind),
        )
        name = f"shipper-{self._name[:8]}"
        shipping = threading.Thread(target=self._ship, args=(child,), name=name, daemon=True)
        shipping.start()
        try:
            status = watch.until_end()
        finally:
            child.kill()
            self._is_over.set()
            shipping.join()
            self._spares.make(kind)
        if not self._shipper.is_complete:
            raise GaveUp
        return self._describe_end(
            watch.cause,
            status,
            was_out_of_memory=out_of_memory_kills() > kills,
            was_terminated=watch.is_terminated,
        )

    def _ship(self, child: Child) -> None:
        """A training of which nothing can be told is in vain, however long it goes on."""
        try:
            self._shipper.ship_until(self._is_over)
        except Exception:  # recorded; the attempt ends untold, and is lost with its lease
            logger.exception("attempt %s cannot be shipped", self._name)
            child.kill()

    def _describe_end(
        self,
        cause: Cause | None,
        status: int = 0,
        *,
        was_out_of_memory: bool = False,
        was_terminated: bool = False,
    ) -> End:
        return End(
            ended=self._progress.ended,
            status=status,
            cause=cause,
            was_out_of_memory=was_out_of_memory and cause is None and status == -9,
            was_terminated=was_terminated,
            step=self._progress.step,
            last_lines=last_lines(self._folder.output),
            at=self._services.clock(),
        )

    def _check_held(self) -> None:
        if self._heartbeat.is_lost.is_set() or self._shipper.is_fenced.is_set():
            raise Fenced(self._claim.stream, self._claim.epoch)

    def _conclude(self, end: End) -> None:
        """A cancellation may come between the look at the run and the end: then look again."""
        for tries_left in reversed(range(MAX_TRIES)):
            run = load_run(self._services, self._claim.run_id)
            try:
                self._end(conclude(run, self._claim.run_id, self._claim.attempt, end))
            except Refused:
                if not tries_left or run.attempt != self._claim.attempt or run.is_ended:
                    raise
            else:
                return

    def _end(self, command: AnyCommand) -> None:
        """The last fact, together with the end of the lease; a lost attempt's epoch is over for good."""
        claim = self._claim
        let_go = leases.revoke if isinstance(command, LoseAttempt) else leases.release

        def settle(conn: Connection) -> None:
            if not let_go(conn, claim.stream, claim.epoch):
                raise Fenced(claim.stream, claim.epoch)
            dispatches.mark_done(conn, claim.stream, claim.attempt)

        self._services.dispatcher.dispatch(command, self._services.metadata, within=settle)
        prometheus.ENDED.labels(type(command).__name__).inc()

    def _failed(self, problem: Exception) -> FailRun:
        return FailRun(
            run_id=self._claim.run_id,
            attempt=self._claim.attempt,
            reason="error",
            error_class=type(problem).__qualname__,
            message=str(problem),
        )

    def _environ(self, device: str) -> dict[str, str]:
        flags = self._settings.xla_flags
        if flags is None:
            has_gpu = any(mine.kind == "gpu" for mine in self._services.worker.devices)
            flags = DETERMINISTIC_GPU_FLAGS if has_gpu and device != "cpu" else ""
        return environment(
            self._services.environ, cache=self._services.compilations, xla_flags=flags, device=device
        )
