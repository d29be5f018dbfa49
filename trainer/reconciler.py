"""Ends every stuck state in bounded time: a message without effect, a lease that nobody renews.

A lease counts as expired only by time in which this reconciler itself saw the database without a gap:
after an outage, whoever is alive renews first.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tracker.aggregates.run import LoseAttempt
from tracker.dispatch import Dispatcher
from tracker.envelope import Metadata
from tracker.errors import Fenced, NotFound, Refused
from tracker.ids import RunId, id_of, kind_of
from tracker.store import dispatches, leases
from tracker.store.dispatches import Dispatch
from tracker.store.engine import read, write
from tracker.store.leases import Lease
from tracker.store.log import Log
from trainer import prometheus
from trainer.relay import Send, send

logger = logging.getLogger(__name__)

METADATA = Metadata(actor="reconciler")
MAX_DOUBLINGS = 6


class Observation:
    """Since when the database has been seen without a gap."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._last = 0.0

    def seen(self, now: float, gap_seconds: float) -> None:
        if self._since is None or now - self._last > gap_seconds:
            self._since = now
        self._last = now

    def seconds(self) -> float:
        return 0.0 if self._since is None else self._last - self._since


class Reconciler:
    """Any number of them may run on one log: whoever revokes a lease first has lost the attempt for all."""

    def __init__(
        self,
        log: Log,
        dispatcher: Dispatcher,
        send: Send,
        *,
        lease_seconds: float,
        resend_seconds: float,
        could_execute: Callable[[Dispatch], bool] = lambda row: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._dispatcher = dispatcher
        self._send = send
        self._lease_seconds = lease_seconds
        self._resend_seconds = resend_seconds
        self._could_execute = could_execute
        self._clock = clock
        self._observed = Observation()

    def step(self) -> None:
        """Once around. Raises `StoreUnavailable`, which makes a gap."""
        with read(self._log.engine) as conn:
            expired = leases.expired(conn)
            unclaimed = dispatches.pending(conn, resend_after_seconds=self._resend_seconds)
        self._observed.seen(self._clock(), self._lease_seconds / 2)
        for lease in expired:
            if self._observed.seconds() >= (lease.expires_at - lease.renewed_at).total_seconds():
                self._lose(lease)
        for row in unclaimed:
            if self._is_due(row):
                logger.info("sent again: attempt %d of %s", row.attempt, row.stream)
                send(self._log, self._send, row)
                prometheus.SENT.labels("again").inc()

    def _is_due(self, row: Dispatch) -> bool:
        """Less and less often, as it may be waiting for its turn; soon where this worker is free."""
        if row.sent_at is None:
            return False  # the relay's affair
        if self._could_execute(row):
            return True
        wait = self._resend_seconds * 2 ** min(max(row.send_count - 1, 0), MAX_DOUBLINGS)
        return row.sent_at + timedelta(seconds=wait) <= datetime.now(row.sent_at.tzinfo)

    def _lose(self, lease: Lease) -> None:
        """The fact and the lease's next epoch together; nothing where somebody else was faster."""
        if kind_of(lease.stream) != "run":
            return

        def revoke(conn: Connection) -> None:
            if not leases.revoke(conn, lease.stream, lease.epoch):
                raise Fenced(lease.stream, lease.epoch)
            dispatches.mark_done(conn, lease.stream, lease.attempt)

        run_id = RunId(id_of(lease.stream))
        lose = LoseAttempt(run_id=run_id, attempt=lease.attempt, last_heartbeat_at=lease.renewed_at)
        try:
            lost = self._dispatcher.dispatch(lose, METADATA, within=revoke)
        except Fenced:
            return
        except (Refused, NotFound) as refusal:
            logger.info("the lease on %s is let go: %s", lease.stream, refusal)
            self._let_go(lease)
            return
        if not lost.events:
            self._let_go(lease)
        prometheus.LOST.inc()
        logger.warning("attempt %d of %s is lost", lease.attempt, lease.stream)

    def _let_go(self, lease: Lease) -> None:
        """Nothing is to be decided any more: the attempt has ended, its worker only could not say so."""
        with write(self._log.engine) as conn:
            leases.revoke(conn, lease.stream, lease.epoch)
            dispatches.mark_done(conn, lease.stream, lease.attempt)
