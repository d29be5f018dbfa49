"""Ends every stuck state in bounded time: a message without effect, a lease that nobody renews.

An attempt is lost once its lease has expired and this reconciler itself, by its own clock and without a
gap, has seen the same heartbeat for as long as the lease lasts: after an outage of the database, and
after a machine has slept, whoever is alive renews first.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from runledger.tracker.aggregates.run import LoseAttempt
from runledger.tracker.dispatch import Dispatcher
from runledger.tracker.envelope import EPOCH, Metadata, from_micros
from runledger.tracker.errors import Fenced, NotFound, Refused, UnknownEvent
from runledger.tracker.ids import RunId, Stream, id_of, kind_of
from runledger.tracker.store import dispatches, leases
from runledger.tracker.store.dispatches import Dispatch
from runledger.tracker.store.engine import read, write
from runledger.tracker.store.leases import Lease
from runledger.tracker.store.log import Log
from runledger.tracker.store.tables import now_micros
from runledger.trainer import prometheus
from runledger.trainer.relay import Send, send_all

logger = logging.getLogger(__name__)

METADATA = Metadata(actor="reconciler")
MAX_DOUBLINGS = 6


class Sightings:
    """Since when each lease has been seen with the heartbeat that it has now."""

    def __init__(self) -> None:
        self._since: dict[tuple[Stream, int, datetime], float] = {}
        self._last = 0.0

    def look(self, held: Iterable[Lease], now: float, gap_seconds: float) -> None:
        """All leases that are held `now`; after a gap everything counts anew."""
        before = self._since if now - self._last <= gap_seconds else {}
        self._since = {_heartbeat(lease): before.get(_heartbeat(lease), now) for lease in held}
        self._last = now

    def seconds(self, lease: Lease) -> float:
        """For how long it has been looked at unrenewed."""
        return self._last - self._since.get(_heartbeat(lease), self._last)


def _heartbeat(lease: Lease) -> tuple[Stream, int, datetime]:
    return (lease.stream, lease.epoch, lease.renewed_at)


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
        self._sightings = Sightings()

    def step(self) -> None:
        """Once around. Raises `StoreUnavailable`, which makes a gap."""
        with read(self._log.engine) as conn:
            active = leases.active(conn)
            expired = leases.expired(conn)
            unclaimed = dispatches.pending(conn, resend_after_seconds=self._resend_seconds)
            now = from_micros(conn.execute(select(now_micros())).scalar_one()) if unclaimed else EPOCH
        self._sightings.look([*active, *expired], self._clock(), self._lease_seconds / 2)
        for lease in expired:
            if self._sightings.seconds(lease) >= (lease.expires_at - lease.renewed_at).total_seconds():
                self._lose(lease)
        due = [row for row in unclaimed if self._is_due(row, now)]
        for row in due:
            logger.info("sent again: attempt %d of %s", row.attempt, row.stream)
        send_all(self._log, self._send, due)
        prometheus.SENT.labels("again").inc(len(due))

    def _is_due(self, row: Dispatch, now: datetime) -> bool:
        """By the database's clock; soon where this worker is free."""
        if row.sent_at is None:
            return False  # the relay's affair
        return self._could_execute(row) or row.sent_at + patience(row, self._resend_seconds) <= now

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
        except UnknownEvent as problem:
            logger.warning(
                "attempt %d of %s is left to a newer worker: %s", lease.attempt, lease.stream, problem
            )
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


def patience(row: Dispatch, resend_seconds: float) -> timedelta:
    """Twice as long after each message: it may be waiting for its turn."""
    return timedelta(seconds=resend_seconds * 2 ** min(max(row.send_count - 1, 0), MAX_DOUBLINGS))
