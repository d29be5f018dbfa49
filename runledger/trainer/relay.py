"""From the log to the broker: what asks for an attempt becomes one dispatch row and a message.

The log is the outbox. Rows and cursor move in one transaction; the sending follows, and is repeated
where it was not noted down: a message only wakes, so a second one is harmless.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence

from runledger.tracker.aggregates import registry
from runledger.tracker.aggregates.run import Run
from runledger.tracker.envelope import Recorded
from runledger.tracker.errors import CursorMoved, UnknownEvent
from runledger.tracker.events import is_known
from runledger.tracker.events.run import (
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunRequested,
    RunResumed,
    RunRetried,
)
from runledger.tracker.ids import Stream
from runledger.tracker.store import dispatches
from runledger.tracker.store.cursors import advance, read_cursor
from runledger.tracker.store.dispatches import Dispatch
from runledger.tracker.store.engine import read, write
from runledger.tracker.store.log import Log, Page
from runledger.tracker.store.tables import cursors
from runledger.trainer import prometheus

logger = logging.getLogger(__name__)

CURSOR = "relay"
ASKING = (RunRequested.tag, RunRetried.tag, RunResumed.tag)
ENDING = (RunCancelled.tag, RunPaused.tag, RunCompleted.tag, RunFailed.tag)
STRIDE = 1_000
"""The cursor moves without need only once so many positions have passed."""
LOOK_SECONDS = 5.0
"""How often rows that wait are looked for without need: another relay may have died before it sent them."""

Send = Callable[[Dispatch], None]


class Relay:
    """Any number of them may run on one log: the cursor moves by compare-and-set."""

    def __init__(self, log: Log, send: Send, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._send = send
        self._clock = clock
        self._look_at = -math.inf
        self._cursor: int | None = None
        self._scanned = 0
        self._unread: int | None = None

    def step(self) -> bool:
        """Take what is new, send what waits. Whether there was anything to do: telemetry gives it nothing."""
        try:
            moved = self._take()
        except CursorMoved:
            self._cursor = self._unread = None
            moved = True
        if not moved and self._clock() < self._look_at:
            return False
        return self._send_waiting() or moved

    def _take(self) -> bool:
        if self._cursor is None:
            with read(self._log.engine) as conn:
                self._cursor = self._scanned = read_cursor(conn, cursors, CURSOR)
        if self._log.head() == self._scanned:
            return False
        page = self._log.tail(self._scanned, kinds=("run",))
        asking = [each for each in page.events if each.type in ASKING or each.type in ENDING]
        states = self._states(asking)
        for each in page.events:
            if not is_known(each.type, each.schema):
                self._leave(each.position)
        if states or self._reached(page) - self._cursor >= STRIDE:
            self._move(self._cursor, page, states)
        is_far_behind = page.scanned - self._scanned >= STRIDE
        self._scanned = page.scanned
        return bool(asking) or is_far_behind

    def _states(self, found: list[Recorded]) -> list[tuple[Recorded, Run]]:
        """Each with its run; without those whose history this version of the code cannot read."""
        states = []
        for each in found:
            try:
                states.append((each, self._run_at(each)))
            except UnknownEvent as problem:
                logger.warning("%s is left to a newer worker: %s", each.stream, problem)
                self._leave(each.position)
        return states

    def _leave(self, position: int) -> None:
        """The cursor stays before what a newer relay has to read; what follows is queued all the same."""
        self._unread = position if self._unread is None else min(position, self._unread)

    def _reached(self, page: Page) -> int:
        return page.scanned if self._unread is None else min(page.scanned, self._unread - 1)

    def _move(self, cursor: int, page: Page, states: list[tuple[Recorded, Run]]) -> None:
        reached = self._reached(page)
        with write(self._log.engine) as conn:
            advance(conn, cursors, CURSOR, cursor, reached)
            for recorded, run in states:
                if recorded.type in ENDING:
                    dispatches.mark_done(conn, recorded.stream, run.attempt)
                elif not run.requested.external:
                    dispatches.add(conn, row_of(recorded, run))
        self._cursor = reached

    def _run_at(self, recorded: Recorded) -> Run:
        """The run right after the event."""
        state: Run | None = None
        for each in self._log.read(recorded.stream, limit=recorded.version):
            state = registry.RUN.evolve(state, each.event)
        if state is None:
            raise LookupError(f"no events in {recorded.stream}")
        return state

    def _send_waiting(self) -> bool:
        self._look_at = -math.inf
        with read(self._log.engine) as conn:
            waiting = dispatches.pending(conn)
        send_all(self._log, self._send, waiting)
        prometheus.SENT.labels("new").inc(len(waiting))
        if not waiting:
            self._look_at = self._clock() + LOOK_SECONDS
        return bool(waiting)


def send_all(log: Log, send: Send, rows: Sequence[Dispatch]) -> None:
    """Send, then note all of them down in one write; also those before one that cannot be sent."""
    sent: list[Dispatch] = []
    try:
        for row in rows:
            send(row)
            sent.append(row)
    finally:
        if sent:
            with write(log.engine) as conn:
                for row in sent:
                    dispatches.mark_sent(conn, row.stream, row.attempt)


def row_of(recorded: Recorded, run: Run) -> Dispatch:
    requested = run.requested
    return Dispatch(
        stream=Stream(recorded.stream),
        attempt=run.attempt,
        position=recorded.position,
        recipe=requested.spec.recipe,
        recipe_digest=requested.spec.digest,
        priority=requested.priority,
        device=requested.device,
        labels=requested.worker_labels,
        requested_at=recorded.recorded_at,
    )
