"""Rebuilds: projections replayed from position 0 into new tables, while the old ones go on answering.

The new tables catch up with the log beside the old ones and take over in one transaction, all projections
together, once they account for no less. Nothing but rows is made: no stoppage, no number for Prometheus. A
rebuild that was killed goes on where it was, as long as the code that folds is the same; else it begins anew.
"""

from __future__ import annotations

import gc
import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, delete, insert, select, tuple_

import runledger
from runledger.projections.building import add_indexes, drop_tables, make_tables, table_names
from runledger.projections.builds import active, cursor_in, use
from runledger.projections.catalogue import PROJECTIONS
from runledger.projections.errors import RebuildStopped
from runledger.projections.exclusion import alone
from runledger.projections.projection import Fact, Projection
from runledger.projections.replay import PORTION_EVENTS, Replay, fact_of_row
from runledger.projections.rows import Row
from runledger.projections.runner import fold_of
from runledger.projections.tables import activations, builds, cursor_of, cursors, stoppages
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.cursors import advance, read_cursor
from runledger.tracker.store.engine import is_postgresql, read, write
from runledger.tracker.store.log import Log

logger = logging.getLogger(__name__)

PAGE_EVENTS = 24_000
"""At most so many are folded together: who folds more reads fewer rows of before."""
PAGE_BYTES = 32 * 1024 * 1024
LONGEST_WRITE_SECONDS = 2.0
"""A page whose write took longer is followed by a smaller one: on SQLite the live projections wait for it."""
GRACE_SECONDS = 30.0
"""On PostgreSQL a request that began before the takeover may read the old tables for so long."""
GROWING, RETIRED = "growing", "retired"

Report = Callable[[int, int], None]
"""Called with how far the slowest projection is, and how far the log goes."""


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    projections: list[str]
    position: int
    """Up to where the new tables accounted for the log when they took over."""
    events: int
    """How many were replayed by this process: fewer where it went on with an interrupted rebuild."""
    seconds: float


def rebuild(
    log: Log,
    views: Engine,
    projections: Sequence[Projection] = PROJECTIONS,
    *,
    report: Report = lambda done, total: None,
    grace_seconds: float = GRACE_SECONDS,
) -> Rebuilt:
    """Of some projections, in the order of the catalogue.

    Raises `RebuildRunning`, `RebuildStopped`, `StoreUnavailable`.
    """
    began = time.monotonic()
    with alone(views):
        work = _Rebuild(log, views, projections, report)
        try:
            with _uncollected():
                done = work.run()
        finally:
            work.close()
        seconds = time.monotonic() - began
        drop_retired(views, grace_seconds if is_postgresql(views) else 0.0)
    return msgspec.structs.replace(done, seconds=seconds)


def abandon(views: Engine) -> int:
    """Drops what interrupted rebuilds have left; how many builds that were. Raises `RebuildRunning`."""
    with alone(views), write(views) as conn:
        return _drop(conn, _rows(conn))


def drop_retired(views: Engine, grace_seconds: float) -> None:
    """The tables that another build has taken over from; where they are still read they wait for the next."""
    time.sleep(grace_seconds)
    try:
        with write(views) as conn:
            _drop(conn, _rows(conn, RETIRED))
    except StoreUnavailable as problem:
        logger.warning("old tables are left to the next rebuild: %s", problem)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, which would look at all events of a page again and again.

    None of them is in a cycle; it comes to work once for each page.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Rebuild:
    def __init__(self, log: Log, views: Engine, projections: Sequence[Projection], report: Report) -> None:
        self._log = log
        self._views = views
        self._projections = list(projections)
        self._report = report
        self._replay = Replay(log.engine)
        self._page_events = PAGE_EVENTS
        self._builds: dict[str, int] = {}
        self._reached: dict[str, int] = {}
        self._events = 0

    def close(self) -> None:
        self._replay.close()

    def run(self) -> Rebuilt:
        self._begin()
        try:
            self._catch_up()
            self._add_indexes()
            self._catch_up()
            while not self._take_over():
                self._catch_up()
        except RebuildStopped:
            self._give_up()
            raise
        names = [each.name for each in self._projections]
        return Rebuilt(
            projections=names, position=min(self._reached.values()), events=self._events, seconds=0.0
        )

    def _begin(self) -> None:
        """Goes on with what an interrupted rebuild has left, or makes new tables; all in one transaction."""
        with write(self._views) as conn:
            now = active(conn)
            rows = _rows(conn)
            kept = {row["projection"]: row for row in rows if self._goes_on(row)}
            _drop(conn, [row for row in rows if kept.get(row["projection"]) is not row])
            use(conn, now)
            for each in self._projections:
                if each.name in kept:
                    self._builds[each.name] = kept[each.name]["build"]
                else:
                    self._builds[each.name] = now.get(each.name, 0) + 1
                    self._make(conn, each)
                self._reached[each.name] = read_cursor(conn, cursors, cursor_in(self._builds, each))

    def _goes_on(self, row: Row) -> bool:
        return (row["state"], row["code"]) == (GROWING, code_digest()) and any(
            (row["projection"], row["version"]) == (each.name, each.version) for each in self._projections
        )

    def _make(self, conn: Connection, projection: Projection) -> None:
        build = self._builds[projection.name]
        make_tables(conn, projection, build)
        row = {"projection": projection.name, "version": projection.version, "build": build}
        names = " ".join(table_names(projection, build))
        conn.execute(insert(builds).values(**row, state=GROWING, code=code_digest(), tables=names))

    def _catch_up(self) -> None:
        """Those that are furthest behind first, until all stand at the head of the log."""
        while True:
            head = self._log.head()
            position = min(self._reached.values())
            self._report(position, head)
            if position >= head:
                return
            members = [each for each in self._projections if self._reached[each.name] == position]
            ahead = [reached for reached in self._reached.values() if reached > position]
            self._advance(members, position, min([head, *ahead, position + self._page_events]))

    def _advance(self, members: Sequence[Projection], position: int, until: int) -> None:
        facts = self._read(members, position, until)
        until = facts[-1].position if facts else until
        with read(self._views) as conn:
            use(conn, self._builds)
            try:
                read_by = _by_kinds(members, facts)
                writes = [each.fold(conn, read_by[each.kinds]) for each in members]
            except StoreUnavailable:
                raise
            except Exception as problem:
                self._blame(members, conn, facts)
                raise AssertionError("only all of these facts together cannot be folded") from problem
        began = time.monotonic()
        with write(self._views) as conn:
            use(conn, self._builds)
            for each in members:
                advance(conn, cursors, cursor_in(self._builds, each), position, until)
            for store in writes:
                store(conn)
        self._fit_page(time.monotonic() - began)
        self._reached |= {each.name: until for each in members}
        self._events += len(facts)
        del facts, read_by, writes
        gc.collect(1)

    def _read(self, members: Sequence[Projection], position: int, until: int) -> list[Fact]:
        facts = []
        for row in self._replay.rows(position, until, PAGE_BYTES):
            try:
                facts.append(fact_of_row(row))
            except Exception as problem:
                kind = row[1].partition("-")[0]
                blamed = next((each.name for each in members if kind in each.kinds), members[0].name)
                raise RebuildStopped(blamed, row[0], row[3], problem) from problem
        return facts

    def _blame(self, members: Sequence[Projection], conn: Connection, facts: Sequence[Fact]) -> None:
        """Raises `RebuildStopped` for the first event that a projection cannot take."""
        for each in members:
            good, bad = 0, len(facts) + 1
            problem: Exception | None = None
            while bad - good > 1:
                middle = (good + bad) // 2
                try:
                    fold_of(each, conn, facts[:middle])
                except StoreUnavailable:
                    raise
                except Exception as found:  # noqa: BLE001 - is raised below, with its place
                    bad, problem = middle, found
                else:
                    good = middle
            if problem is not None:
                at = facts[bad - 1]
                raise RebuildStopped(each.name, at.position, type(at.event).tag, problem) from problem

    def _fit_page(self, seconds: float) -> None:
        if seconds > LONGEST_WRITE_SECONDS:
            self._page_events = max(PORTION_EVENTS, self._page_events // 2)
        elif seconds < LONGEST_WRITE_SECONDS / 4:
            self._page_events = min(PAGE_EVENTS, 2 * self._page_events)

    def _add_indexes(self) -> None:
        for each in self._projections:
            for table in each.tables:
                with write(self._views) as conn:
                    add_indexes(conn, table, self._builds[each.name])

    def _take_over(self) -> bool:
        """False where the old tables account for more by now."""
        with write(self._views) as conn:
            now = active(conn)
            for each in self._projections:
                # Locked in the order in which a runner moves them.
                theirs = select(cursors.c.position).where(cursors.c.name == cursor_in(now, each))
                if (conn.scalar(theirs.with_for_update()) or 0) > self._reached[each.name]:
                    return False
            for each in self._projections:
                self._activate(conn, each, now.get(each.name, 0))
        return True

    def _activate(self, conn: Connection, projection: Projection, before: int) -> None:
        """The old cursor stays as long as the old tables: an answer that has begun may ask for it."""
        name, version, build = projection.name, projection.version, self._builds[projection.name]
        conn.execute(delete(activations).where(activations.c.projection == name))
        conn.execute(insert(activations).values(projection=name, version=version, build=build))
        conn.execute(delete(stoppages).where(stoppages.c.cursor == projection.cursor))
        conn.execute(delete(builds).where(builds.c.projection == name, builds.c.build == build))
        names = " ".join(table_names(projection, before))
        row = {"projection": name, "version": version, "build": before, "state": RETIRED}
        conn.execute(insert(builds).values(**row, code="", tables=names))

    def _give_up(self) -> None:
        with write(self._views) as conn:
            _drop(conn, _rows(conn, GROWING))


def _rows(conn: Connection, *states: str) -> list[Row]:
    """Of builds in one of these states, or of all."""
    wanted = states or (GROWING, RETIRED)
    return [dict(row) for row in conn.execute(select(builds).where(builds.c.state.in_(wanted))).mappings()]


def _drop(conn: Connection, rows: Sequence[Row]) -> int:
    """The builds of these rows, with their cursors."""
    for row in rows:
        key = (row["projection"], row["version"], row["build"])
        drop_tables(conn, row["tables"].split())
        conn.execute(delete(cursors).where(cursors.c.name == cursor_of(*key)))
        conn.execute(delete(builds).where(tuple_(*builds.primary_key) == key))
    return len(rows)


def _by_kinds(members: Sequence[Projection], facts: Sequence[Fact]) -> dict[frozenset[str], list[Fact]]:
    """What each projection reads, gone through once."""
    found: dict[frozenset[str], list[Fact]] = {each.kinds: [] for each in members}
    wanted: dict[str, list[list[Fact]]] = {}
    for kinds, own in found.items():
        for kind in kinds:
            wanted.setdefault(kind, []).append(own)
    for fact in facts:
        for own in wanted.get(fact.kind, ()):
            own.append(fact)
    return found


@cache
def code_digest() -> str:
    """Of all code that has a part in what a fold leaves behind."""
    folder = Path(runledger.__file__).parent
    files = [path for part in ("projections", "tracker") for path in sorted((folder / part).rglob("*.py"))]
    digest = hashlib.sha256()
    for path in files:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
