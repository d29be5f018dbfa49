"""Keeps the projections up to date: reads on, folds in memory, writes rows and cursors together.

Projections that stand at the same position advance in one transaction; one that cannot take an event
is left behind, stopped before it and recorded so, and the others go on. Cursors move by
compare-and-set before any row is written, so a second runner changes nothing twice. A page is written
in batches whose weight follows the time that a write takes. Written are the builds that answer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, Engine, delete, insert, select

from runledger.projections import prometheus
from runledger.projections.builds import Builds, active, cursor_in, use
from runledger.projections.catalogue import PROJECTIONS
from runledger.projections.projection import Fact, Projection, Write, fact_of
from runledger.projections.tables import activations, cursors, stoppages
from runledger.tracker.envelope import Recorded, to_micros
from runledger.tracker.errors import CursorMoved, StoreUnavailable
from runledger.tracker.ids import kind_of
from runledger.tracker.store.cursors import advance, read_cursor
from runledger.tracker.store.engine import is_postgresql, read, write
from runledger.tracker.store.log import PAGE_BYTES, Log
from runledger.tracker.subscription import await_growth

logger = logging.getLogger(__name__)

EVENT_WEIGHT = 1_000
"""What an event weighs beside its payload's bytes: a row of history costs about as much as 1 KB of points."""
FIRST_BATCH = 100 * EVENT_WEIGHT
HEAVIEST_BATCH = 32 * 1024 * 1024
SQLITE_WRITE_SECONDS = 0.03
"""What a write should take where it locks the whole file: 50 ms are promised, and some writes are slower."""
POSTGRESQL_WRITE_SECONDS = 0.5
RESTS = 3
"""At most a quarter of a processor goes into keeping up, as long as it keeps up."""
LONGEST_REST_SECONDS = 0.5
LOOK_SECONDS = 2.0
"""How often the cursors are looked at while the log does not grow: another process may have set one back."""
BACK_OFF_SECONDS = 0.1
LONGEST_BACK_OFF_SECONDS = 5.0
PROBLEM_LENGTH = 2_000


class ProjectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from RUNLEDGER_PROJECTIONS_POLL_SECONDS and the like."""

    poll_seconds: float = 0.05
    """Rest before the log is asked for more; under load up to half a second."""
    batch: int = 5_000
    """Events in a batch at most; fewer where their writing would hold the lock for too long."""

    def __post_init__(self) -> None:
        if not self.poll_seconds > 0:
            raise ValueError("poll_seconds must be positive")
        if self.batch < 1:
            raise ValueError("batch must be at least 1")


class Runner:
    def __init__(
        self,
        log: Log,
        views: Engine,
        projections: Sequence[Projection] = PROJECTIONS,
        settings: ProjectionSettings = ProjectionSettings(),  # noqa: B008 - frozen
    ) -> None:
        self._log = log
        self._views = views
        self._running = list(projections)
        for each in projections:
            prometheus.STOPPED.labels(each.name).set(0)
        self._settings = settings
        self._batch_weight = FIRST_BATCH
        self._is_behind = False
        self._builds: Builds = {}
        self._wanted_seconds = POSTGRESQL_WRITE_SECONDS if is_postgresql(views) else SQLITE_WRITE_SECONDS
        # SQLite works in this thread: what the machine did meanwhile for others makes no batch smaller.
        self._clock = time.monotonic if is_postgresql(views) else time.thread_time

    @property
    def running(self) -> tuple[str, ...]:
        """The projections that have not been stopped by an event."""
        return tuple(each.name for each in self._running)

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. An outage of a database is waited out."""
        back_off = BACK_OFF_SECONDS
        while not stop.is_set():
            try:
                self._turn(stop)
            except StoreUnavailable as problem:
                logger.warning("waiting for the database: %s", problem)
                stop.wait(back_off)
                back_off = min(2 * back_off, LONGEST_BACK_OFF_SECONDS)
            else:
                back_off = BACK_OFF_SECONDS

    def _turn(self, stop: threading.Event) -> None:
        """One step and the rest after it, or the wait for something new."""
        began = time.monotonic()
        head = self._log.head()
        if self.step():
            stop.wait(self._rest_seconds(time.monotonic() - began))
            return
        poll_seconds = self._settings.poll_seconds
        await_growth(self._log, head, stop, poll_seconds=poll_seconds, longest_seconds=LOOK_SECONDS)

    def _rest_seconds(self, worked_seconds: float) -> float:
        """Until the next look at the log: none while a whole page may wait there.

        Under load the rest grows with the work, so that telemetry comes in larger pages, which cost less, and
        the process leaves most of the machine to those that write.
        """
        if self._is_behind:
            return 0.0
        return max(self._settings.poll_seconds, min(RESTS * worked_seconds, LONGEST_REST_SECONDS))

    def catch_up(self) -> None:
        """Until there is nothing new, or every projection is stopped. Raises `StoreUnavailable`."""
        while self.step():
            pass

    def step(self) -> bool:
        """One batch for every group of projections that stand together; whether any of them moved."""
        groups: defaultdict[int, list[Projection]] = defaultdict(list)
        with read(self._views) as conn:
            self._builds = active(conn)
            reached = {row.name: row.position for row in conn.execute(select(cursors))}
        for each in self._running:
            groups[reached.get(cursor_in(self._builds, each), 0)].append(each)
        self._is_behind = False
        moved = [self._advance(members, position) for position, members in groups.items()]
        return any(moved)

    def _advance(self, members: Sequence[Projection], position: int) -> bool:
        """Whether there was anything new to look at."""
        page = self._log.tail(position, limit=self._settings.batch, kinds=_kinds(members))
        if page.scanned == position:
            return False
        self._is_behind |= len(page.events) == self._settings.batch or _size(page.events) >= PAGE_BYTES
        rest = page.events
        while True:
            some, rest = self._split(rest)
            scanned = some[-1].position if rest else page.scanned
            if not self._take(members, position, some, scanned) or not rest:
                return True
            position = scanned

    def _split(self, events: list[Recorded]) -> tuple[list[Recorded], list[Recorded]]:
        """As many as the batch may weigh, at least one; and the rest."""
        weight, count = 0, 0
        for recorded in events:
            weight += _weight(recorded)
            if count and weight > self._batch_weight:
                break
            count += 1
        return events[:count], events[count:]

    def _take(
        self, members: Sequence[Projection], position: int, events: list[Recorded], scanned: int
    ) -> bool:
        """Whether all members now stand at `scanned`."""
        try:
            self._apply(members, position, events, scanned)
        except CursorMoved:
            return False
        except StoreUnavailable:
            raise
        except Exception as problem:  # noqa: BLE001 - stops one projection, keeps the others
            failure = problem
        else:
            return True
        if not self._has_moved(members, position):
            self._isolate(members, position, events, scanned, failure)
        return False

    def _isolate(
        self,
        members: Sequence[Projection],
        position: int,
        events: list[Recorded],
        scanned: int,
        problem: Exception,
    ) -> None:
        """Halves what failed, first the members, then the batch, down to one event of one projection."""
        if len(members) > 1:
            for each in members:
                own = [recorded for recorded in events if kind_of(recorded.stream) in each.kinds]
                self._take([each], position, own, scanned)
        elif len(events) > 1:
            half = events[: len(events) // 2]
            self._take(members, position, half, half[-1].position)
        elif events:
            self._stop(members[0], events[0], problem)
        else:
            raise problem

    def _has_moved(self, members: Sequence[Projection], position: int) -> bool:
        """Another runner was quicker, so what was read for the fold did not fit together."""
        with read(self._views) as conn:
            return _differ(active(conn), self._builds, members) or any(
                read_cursor(conn, cursors, cursor_in(self._builds, each)) != position for each in members
            )

    def _apply(
        self, members: Sequence[Projection], position: int, events: list[Recorded], scanned: int
    ) -> None:
        facts = [fact_of(recorded) for recorded in events]
        with read(self._views) as conn:
            use(conn, self._builds)
            writes = [fold_of(each, conn, facts) for each in members]
        with write(self._views) as conn:
            began = self._clock()
            use(conn, self._builds)
            for each in members:
                advance(conn, cursors, cursor_in(self._builds, each), position, scanned)
            self._begin(conn, members, position)
            for store in writes:
                store(conn)
            _settle(conn, members, scanned)
        seconds = self._clock() - began
        self._adapt(sum(map(_weight, events)), seconds)
        prometheus.WRITE_SECONDS.observe(seconds)
        for each in members:
            prometheus.POSITION.labels(each.name).set(scanned)
            prometheus.EVENTS.labels(each.name).inc(sum(fact.kind in each.kinds for fact in facts))

    def _begin(self, conn: Connection, members: Sequence[Projection], position: int) -> None:
        """The first version of a projection that begins is the active one.

        Asked once the cursors are ours: where another build has taken over, there is nothing to write any
        more. Raises `CursorMoved`.
        """
        known = active(conn)
        if _differ(known, self._builds, members):
            raise CursorMoved(members[0].cursor, position)
        if position:
            return
        fresh = [{"projection": each.name, "version": each.version} for each in members]
        if fresh := [row for row in fresh if row["projection"] not in known]:
            names = [row["projection"] for row in fresh]
            conn.execute(delete(activations).where(activations.c.projection.in_(names)))
            conn.execute(insert(activations), fresh)

    def _adapt(self, weight: int, seconds: float) -> None:
        """Towards the batch whose write takes as long as it should."""
        ratio = self._wanted_seconds / max(seconds, 1e-6)
        if ratio < 1:
            self._batch_weight = max(EVENT_WEIGHT, int(min(weight, self._batch_weight) * max(ratio, 0.25)))
        elif 2 * weight > self._batch_weight:
            self._batch_weight = min(HEAVIEST_BATCH, int(self._batch_weight * min(ratio, 2)) + 1)

    def _stop(self, projection: Projection, recorded: Recorded, problem: Exception) -> None:
        logger.error(
            "projection %s stops before position %s (%s): %s",
            *(projection.cursor, recorded.position, recorded.type, problem),
            exc_info=problem,
        )
        with write(self._views) as conn:
            if read_cursor(conn, cursors, cursor_in(self._builds, projection)) >= recorded.position:
                return
            conn.execute(delete(stoppages).where(stoppages.c.cursor == projection.cursor))
            conn.execute(insert(stoppages).values(_stoppage(projection, recorded, problem)))
        self._running.remove(projection)
        prometheus.STOPPED.labels(projection.name).set(1)


def _weight(recorded: Recorded) -> int:
    return EVENT_WEIGHT + len(recorded.payload)


def _size(events: Sequence[Recorded]) -> int:
    return sum(len(recorded.payload) for recorded in events)


def _kinds(members: Sequence[Projection]) -> frozenset[str]:
    return frozenset().union(*(each.kinds for each in members))


def fold_of(projection: Projection, conn: Connection, facts: Sequence[Fact]) -> Write:
    """The write that comes of those of the facts that the projection reads."""
    return projection.fold(conn, [fact for fact in facts if fact.kind in projection.kinds])


def _differ(now: Builds, then: Builds, members: Sequence[Projection]) -> bool:
    """Whether another build of any of them answers now."""
    return any(now.get(each.name, 0) != then.get(each.name, 0) for each in members)


def _settle(conn: Connection, members: Sequence[Projection], scanned: int) -> None:
    """A stoppage left behind is over."""
    conn.execute(
        delete(stoppages).where(
            stoppages.c.cursor.in_([each.cursor for each in members]), stoppages.c.position <= scanned
        )
    )


def _stoppage(projection: Projection, recorded: Recorded, problem: Exception) -> dict[str, object]:
    return {
        "cursor": projection.cursor,
        "position": recorded.position,
        "event_id": str(recorded.event_id),
        "event_type": recorded.type,
        "problem": f"{type(problem).__name__}: {problem}".replace("\0", "")[:PROBLEM_LENGTH],
        "recorded_at": to_micros(recorded.recorded_at),
    }
