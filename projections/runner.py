"""Keeps the projections up to date: reads on, folds in memory, writes rows and cursors together.

Projections that stand at the same position advance in one transaction; one that cannot take an event
is left behind, stopped before it and recorded so, and the others go on. Cursors move by
compare-and-set before any row is written, so a second runner changes nothing twice. The batch grows
and shrinks with the time that a write takes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, Engine, delete, insert, select

from projections import prometheus
from projections.catalogue import PROJECTIONS, find
from projections.projection import Fact, Projection, Write
from projections.tables import activations, cursors, stoppages
from tracker.envelope import Recorded, to_micros
from tracker.errors import CursorMoved, StoreUnavailable
from tracker.store.cursors import advance, read_cursor
from tracker.store.engine import is_postgresql, read, write
from tracker.store.log import Log, Page

logger = logging.getLogger(__name__)

FIRST_BATCH = 200
SQLITE_WRITE_SECONDS = 0.03
"""What a write should take where it locks the whole file: 50 ms are promised, and some writes are slower."""
POSTGRESQL_WRITE_SECONDS = 0.5
BACK_OFF_SECONDS = 0.1
LONGEST_BACK_OFF_SECONDS = 5.0
PROBLEM_LENGTH = 2_000


class ProjectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from RUNLEDGER_PROJECTIONS_POLL_SECONDS and the like."""

    poll_seconds: float = 0.05
    batch: int = 5_000
    """Events in a batch at most."""

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
        self._batch = min(FIRST_BATCH, settings.batch)
        self._wanted_seconds = POSTGRESQL_WRITE_SECONDS if is_postgresql(views) else SQLITE_WRITE_SECONDS

    @property
    def running(self) -> tuple[str, ...]:
        """The projections that have not been stopped by an event."""
        return tuple(each.name for each in self._running)

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. An outage of a database is waited out."""
        back_off = BACK_OFF_SECONDS
        while not stop.is_set():
            try:
                moved = self.step()
            except StoreUnavailable as problem:
                logger.warning("waiting for the database: %s", problem)
                stop.wait(back_off)
                back_off = min(2 * back_off, LONGEST_BACK_OFF_SECONDS)
                continue
            back_off = BACK_OFF_SECONDS
            if not moved:
                stop.wait(self._settings.poll_seconds)

    def catch_up(self) -> None:
        """Until there is nothing new, or every projection is stopped. Raises `StoreUnavailable`."""
        while self.step():
            pass

    def step(self) -> bool:
        """One batch for every group of projections that stand together; whether any of them moved."""
        groups: defaultdict[int, list[Projection]] = defaultdict(list)
        with read(self._views) as conn:
            for each in self._running:
                groups[read_cursor(conn, cursors, each.cursor)].append(each)
        moved = [self._advance(members, position, self._batch) for position, members in groups.items()]
        return any(moved)

    def _advance(self, members: Sequence[Projection], position: int, limit: int) -> bool:
        page = self._log.tail(position, limit=limit, kinds=_kinds(members))
        if page.scanned == position:
            return False
        try:
            self._apply(members, position, page)
        except CursorMoved:
            return True
        except StoreUnavailable:
            raise
        except Exception as problem:  # noqa: BLE001 - stops one projection, keeps the others
            failure = problem
        else:
            return True
        return self._isolate(members, position, page, failure)

    def _isolate(self, members: Sequence[Projection], position: int, page: Page, problem: Exception) -> bool:
        """Halves what failed, first the members, then the batch, down to one event of one projection."""
        if self._has_moved(members, position):
            return True
        if len(members) > 1:
            moved = [self._advance([each], position, self._batch) for each in members]
            return any(moved)
        if len(page.events) > 1:
            return self._advance(members, position, len(page.events) // 2)
        if not page.events:
            raise problem
        self._stop(members[0], page.events[0], problem)
        return False

    def _has_moved(self, members: Sequence[Projection], position: int) -> bool:
        """Another runner was quicker, so what was read for the fold did not fit together."""
        with read(self._views) as conn:
            return any(read_cursor(conn, cursors, each.cursor) != position for each in members)

    def _apply(self, members: Sequence[Projection], position: int, page: Page) -> None:
        facts = [Fact(recorded, recorded.event) for recorded in page.events]
        with read(self._views) as conn:
            writes = [_fold(each, conn, facts) for each in members]
        with write(self._views) as conn:
            began = time.monotonic()
            for each in members:
                advance(conn, cursors, each.cursor, position, page.scanned)
            for store in writes:
                store(conn)
            _settle(conn, members, position, page.scanned)
        seconds = time.monotonic() - began
        prometheus.WRITE_SECONDS.observe(seconds)
        for each in members:
            prometheus.POSITION.labels(each.name).set(page.scanned)
            prometheus.EVENTS.labels(each.name).inc(sum(fact.kind in each.kinds for fact in facts))
        self._adapt(len(facts), seconds)

    def _adapt(self, events: int, seconds: float) -> None:
        """Towards the batch whose write takes as long as it should."""
        ratio = self._wanted_seconds / max(seconds, 1e-6)
        if ratio < 1:
            self._batch = max(1, int(min(events, self._batch) * max(ratio, 0.25)))
        elif events >= self._batch:
            self._batch = min(self._settings.batch, int(self._batch * min(ratio, 2)) + 1)

    def _stop(self, projection: Projection, recorded: Recorded, problem: Exception) -> None:
        logger.error(
            "projection %s stops before position %s (%s): %s",
            *(projection.cursor, recorded.position, recorded.type, problem),
            exc_info=problem,
        )
        with write(self._views) as conn:
            conn.execute(delete(stoppages).where(stoppages.c.cursor == projection.cursor))
            conn.execute(insert(stoppages).values(_stoppage(projection, recorded, problem)))
        self._running.remove(projection)
        prometheus.STOPPED.labels(projection.name).set(1)


def rebuild(log: Log, views: Engine, name: str) -> None:
    """Empties the tables of a projection and replays the log from position 0.

    A runner that is at work meanwhile helps. Until the end, answers are those of an earlier position.
    """
    projection = find(name)
    with write(views) as conn:
        for table in projection.tables:
            conn.execute(delete(table))
        conn.execute(delete(cursors).where(cursors.c.name == projection.cursor))
        conn.execute(delete(stoppages).where(stoppages.c.cursor == projection.cursor))
    Runner(log, views, [projection]).catch_up()


def _kinds(members: Sequence[Projection]) -> frozenset[str]:
    return frozenset().union(*(each.kinds for each in members))


def _fold(projection: Projection, conn: Connection, facts: Sequence[Fact]) -> Write:
    return projection.fold(conn, [fact for fact in facts if fact.kind in projection.kinds])


def _settle(conn: Connection, members: Sequence[Projection], position: int, scanned: int) -> None:
    """The first version of a projection that begins is the active one; a stoppage left behind is over."""
    if position == 0:
        active = set(conn.scalars(select(activations.c.projection)))
        fresh = [{"projection": each.name, "version": each.version} for each in members]
        if fresh := [row for row in fresh if row["projection"] not in active]:
            conn.execute(insert(activations), fresh)
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
