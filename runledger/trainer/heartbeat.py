"""Renews the lease while the supervisor lives, and brings back what people ask of the run.

A failed compare-and-set means that somebody else has taken over. A database that cannot be reached
means nothing: the attempt goes on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType

from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.events.run import RunCancellationRequested, RunPauseRequested
from runledger.tracker.journal import Progress
from runledger.tracker.store import leases
from runledger.tracker.store.engine import read
from runledger.tracker.store.log import Log
from runledger.trainer.claims import Claim

logger = logging.getLogger(__name__)

STOPPING = (RunCancellationRequested.tag, RunPauseRequested.tag)


class Heartbeat:
    """A thread for the time of one attempt."""

    def __init__(
        self,
        log: Log,
        claim: Claim,
        *,
        lease_seconds: float,
        poll_seconds: float,
        progress: Callable[[], Progress],
    ) -> None:
        self._log = log
        self._claim = claim
        self._lease_seconds = lease_seconds
        self._poll_seconds = min(poll_seconds, lease_seconds / 3)
        self._progress = progress
        self._version = claim.version
        self._renew_at = 0.0
        self._stop = threading.Event()
        name = f"heartbeat-{claim.run_id[:8]}"
        self._thread = threading.Thread(target=self._beat, name=name, daemon=True)
        self.is_lost = threading.Event()
        """Somebody else has taken over."""
        self.stop_requested = threading.Event()
        """A cancellation or a pause was asked for."""

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self.is_lost.is_set():
            try:
                self._renew_if_due()
                self._look()
            except StoreUnavailable as error:
                logger.warning("the heartbeat goes on without the database: %s", error)
            except Exception:  # this thread outlives whatever a driver raises
                logger.exception("heartbeat")
            if self._stop.wait(self._poll_seconds):
                return

    def _renew_if_due(self) -> None:
        if time.monotonic() < self._renew_at:
            return
        now = self._progress()
        is_held = leases.renew(
            self._log.engine,
            self._claim.stream,
            self._claim.epoch,
            self._lease_seconds,
            phase=now.phase,
            done=now.done,
            total=now.total,
        )
        self._renew_at = time.monotonic() + self._lease_seconds / 3
        if not is_held and not self._is_over():
            logger.error("the lease on %s is not held any more", self._claim.stream)
            self.is_lost.set()

    def _is_over(self) -> bool:
        """Whether the attempt has told its end, and has given its lease back with it: in its own epoch."""
        with read(self._log.engine) as conn:
            lease = leases.get(conn, self._claim.stream)
        return lease is not None and lease.epoch == self._claim.epoch and lease.holder is None

    def _look(self) -> None:
        for recorded in self._log.read(self._claim.stream, after=self._version):
            self._version = recorded.version
            if recorded.type in STOPPING:
                self.stop_requested.set()
