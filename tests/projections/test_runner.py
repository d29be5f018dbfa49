"""The runner: what it leaves behind depends on the log alone, and it never fails silently."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace
from prometheus_client import REGISTRY
from sqlalchemy import Connection, Engine, event

from runledger.projections import metrics, runs
from runledger.projections import runner as runner_module
from runledger.projections.builds import active, use
from runledger.projections.catalogue import PROJECTIONS
from runledger.projections.positions import positions, status, wait_for
from runledger.projections.projection import Fact, Projection, Write
from runledger.projections.rebuilding import rebuild
from runledger.projections.runner import (
    EVENT_WEIGHT,
    HEAVIEST_BATCH,
    LONGEST_REST_SECONDS,
    RESTS,
    ProjectionSettings,
    Runner,
)
from runledger.projections.tables import cursors
from runledger.tracker import events
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.events.run import RunNoted, RunRenamed
from runledger.tracker.store.engine import open_ledger, open_views, write
from runledger.tracker.store.log import Log, Page
from tests.conftest import POSTGRESQL_URL, Databases
from tests.projections.conftest import Story, requested, rows_of, started
from tests.projections.lives import tell_lives

CatchUp = Callable[[], None]


class Crash(BaseException):
    """The process dies here."""


def refusing(projection: Projection, is_bad: Callable[[Fact], bool]) -> Projection:
    """A projection that cannot take some event."""

    def fold(conn: Connection, batch: Sequence[Fact]) -> Write:
        if any(is_bad(fact) for fact in batch):
            raise ValueError("this one I cannot take")
        return projection.fold(conn, batch)

    return replace(projection, fold=fold)


def crashing(projection: Projection, chance: Callable[[], bool]) -> Projection:
    """A projection whose process dies now and then after its rows were written, before the commit."""

    def fold(conn: Connection, batch: Sequence[Fact]) -> Write:
        store = projection.fold(conn, batch)

        def write(conn: Connection) -> None:
            store(conn)
            if chance():
                raise Crash

        return write

    return replace(projection, fold=fold)


@pytest.mark.parametrize("seed", [1, 2])
def test_live_rebuilt_and_crashed_are_equal_row_by_row(
    story: Story, log: Log, views: Engine, catch_up: CatchUp, seed: int
) -> None:
    tell_lives(story, random.Random(seed), after_each=catch_up, turns=160)
    live = rows_of(views)
    assert [name for name, rows in live.items() if not rows] == []

    rebuild(log, views, grace_seconds=0.0)
    assert rows_of(views) == live

    rebuild_in_random_batches(log, views, random.Random(seed))
    assert rows_of(views) == live


def rebuild_in_random_batches(log: Log, views: Engine, chance: random.Random) -> None:
    """Each runner lives until it crashes; the next one goes on with another batch size."""
    empty_all(views)
    mortal = [crashing(each, lambda: chance.random() < 0.05) for each in PROJECTIONS]
    for _ in range(1_000):
        settings = ProjectionSettings(batch=chance.randint(1, 40))
        try:
            Runner(log, views, mortal, settings).catch_up()
        except Crash:
            continue
        return
    raise AssertionError("never caught up")


def empty_all(views: Engine) -> None:
    with write(views) as conn:
        use(conn, active(conn))
        for projection in PROJECTIONS:
            for table in projection.tables:
                conn.execute(table.delete())
        conn.execute(cursors.delete())


def test_two_runners_step_on_nobody(story: Story, log: Log, views: Engine, catch_up: CatchUp) -> None:
    tell_lives(story, random.Random(3))
    catch_up()
    alone = rows_of(views)
    empty_all(views)
    settings = ProjectionSettings(batch=7, poll_seconds=0.01)
    runners = [Runner(log, views, settings=settings) for _ in range(2)]
    threads = [threading.Thread(target=runner.catch_up, daemon=True) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert rows_of(views) == alone
    assert all(runner.running == tuple(each.name for each in PROJECTIONS) for runner in runners)


def test_a_poison_event_stops_its_projection_and_no_other(
    story: Story, log: Log, views: Engine, conn: Connection
) -> None:
    story.run("r1", requested("good"))
    bad = story.run("r1", RunNoted(note="poison"))
    story.run("r1", RunRenamed(name="after"))
    story.metrics("r1", 1, ("loss", 1, 0.5))
    poisoned = refusing(runs.PROJECTION, lambda fact: isinstance(fact.event, RunNoted))
    runner = Runner(log, views, [poisoned, metrics.PROJECTION])
    runner.catch_up()

    assert runner.running == ("metrics",)
    assert positions(conn)["runs"] == bad - 1
    assert positions(conn)["metrics"] == log.head()
    run = runs.get_run(conn, "r1")
    assert run is not None and run.name == "good"
    (stopped,) = [each for each in status(conn, log.head()) if each.stopped is not None]
    assert (stopped.name, stopped.lag) == ("runs", log.head() - bad + 1)
    assert stopped.stopped is not None
    assert (stopped.stopped.position, stopped.stopped.event_type) == (bad, "RunNoted")
    assert stopped.stopped.problem == "ValueError: this one I cannot take"
    assert REGISTRY.get_sample_value("runledger_projection_stopped", {"projection": "runs"}) == 1
    assert REGISTRY.get_sample_value("runledger_projection_position", {"projection": "metrics"}) == log.head()


def test_a_runner_that_can_take_the_event_goes_on(
    story: Story, log: Log, views: Engine, conn: Connection, catch_up: CatchUp
) -> None:
    story.run("r1", requested(), RunNoted(note="poison"), RunRenamed(name="after"))
    Runner(log, views, [refusing(runs.PROJECTION, lambda fact: isinstance(fact.event, RunNoted))]).catch_up()
    catch_up()
    run = runs.get_run(conn, "r1")
    assert run is not None and (run.name, run.note) == ("after", "poison")
    assert all(each.stopped is None and each.lag == 0 for each in status(conn, log.head()))


def test_an_event_of_something_unknown_is_an_error(
    story: Story, log: Log, views: Engine, conn: Connection, catch_up: CatchUp
) -> None:
    story.run("r1", requested())
    story.tell("run-r2", started())
    catch_up()
    (stopped,) = [each for each in status(conn, log.head()) if each.stopped is not None]
    assert stopped.stopped is not None
    assert stopped.stopped.problem.startswith("MissingRow: no row ('r2',) in run_states_v1")


def test_an_event_of_a_newer_version_of_the_code_stops_its_readers_only(
    story: Story, log: Log, views: Engine, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.run("r1", requested())
    bad = story.run("r1", RunNoted(note="new"))
    story.metrics("r1", 1, ("loss", 1, 0.5))
    monkeypatch.delitem(events.CATALOGUE, "RunNoted")
    runner = Runner(log, views)
    runner.catch_up()
    assert set(runner.running) == {each.name for each in PROJECTIONS} - {"runs", "metrics"}
    stopped = {each.name: each.stopped for each in status(conn, log.head()) if each.stopped is not None}
    assert set(stopped) == {"runs", "metrics"}
    assert stopped["runs"].position == bad
    assert "unknown event RunNoted" in stopped["runs"].problem


def test_an_outage_is_waited_out(story: Story, log: Log, views: Engine, conn: Connection) -> None:
    outages = [StoreUnavailable("the views", "gone for a moment")] * 2

    def fail(*_: Any) -> None:
        if outages:
            raise outages.pop()

    story.run("r1", requested())
    stop = threading.Event()
    event.listen(views, "before_cursor_execute", fail)
    thread = threading.Thread(target=Runner(log, views).run, args=[stop], daemon=True)
    thread.start()
    while outages:
        stop.wait(0.01)
    wait_for(views, log.head(), 30)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert runs.get_run(conn, "r1") is not None


def test_batches_shrink_when_writes_are_slow_and_grow_back(log: Log, views: Engine) -> None:
    runner = Runner(log, views)
    first = runner._batch_weight
    runner._adapt(first, 1e-3)
    assert runner._batch_weight > first
    for _ in range(20):
        runner._adapt(runner._batch_weight, 10.0)
    assert runner._batch_weight == EVENT_WEIGHT
    for _ in range(20):
        runner._adapt(runner._batch_weight, 1e-3)
    assert runner._batch_weight == HEAVIEST_BATCH


def test_the_rest_grows_with_the_work_and_there_is_none_while_more_waits(
    story: Story, log: Log, views: Engine
) -> None:
    runner = Runner(log, views, settings=ProjectionSettings(batch=2, poll_seconds=0.05))
    story.run("r1", requested(), started(), RunNoted(note="a third event"))
    runner.step()
    assert runner._rest_seconds(0.1) == 0.0
    runner.step()
    rests = [runner._rest_seconds(worked) for worked in (0.001, 0.1, 10.0)]
    assert rests == pytest.approx([0.05, RESTS * 0.1, LONGEST_REST_SECONDS])


def test_an_idle_runner_asks_for_nothing_but_the_head(
    story: Story, log: Log, views: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "LOOK_SECONDS", math.inf)
    story.run("r1", requested())
    asked: list[str] = []
    stop, head, tail = threading.Event(), log.head, log.tail

    def count_head() -> int:
        asked.append("head")
        if asked[-20:] == ["head"] * 20:
            stop.set()
        return head()

    def count_tail(*args: Any, **how: Any) -> Page:
        asked.append("tail")
        return tail(*args, **how)

    monkeypatch.setattr(log, "head", count_head)
    monkeypatch.setattr(log, "tail", count_tail)
    Runner(log, views, settings=ProjectionSettings(poll_seconds=0.001)).run(stop)
    assert asked.count("tail") == 2  # what there is, and that there is no more
    with views.connect() as conn:
        assert set(positions(conn).values()) == {head()}


def test_a_cursor_that_is_set_back_is_noticed_though_nothing_is_appended(
    story: Story, log: Log, views: Engine, catch_up: CatchUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "LOOK_SECONDS", 0.01)
    story.run("r1", requested())
    stop = threading.Event()
    thread = threading.Thread(target=Runner(log, views).run, args=[stop], daemon=True)
    thread.start()
    wait_for(views, log.head(), 30)
    empty_all(views)
    wait_for(views, log.head(), 30)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize("values", [{"poll_seconds": 0}, {"batch": 0}])
def test_settings_that_cannot_work_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        ProjectionSettings(**values)


def test_killed_connections_lose_nothing(postgresql_databases: Databases) -> None:
    ledger_url, views_url = postgresql_databases.migrated()
    log, views = Log(open_ledger(ledger_url)), open_views(views_url)
    story, stop = Story(log), threading.Event()
    tell_lives(story, random.Random(4), turns=60)
    runner = Runner(log, views, settings=ProjectionSettings(batch=3))
    thread = threading.Thread(target=runner.run, args=[stop], daemon=True)
    thread.start()
    with psycopg.connect(POSTGRESQL_URL, autocommit=True) as admin:
        for _ in range(5):
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                [views.url.database],
            )
            stop.wait(0.05)
    wait_for(views, head_after_outage(log), 60)
    stop.set()
    thread.join(30)
    assert runner.running == tuple(each.name for each in PROJECTIONS)
    live = rows_of(views)
    rebuild(log, views, grace_seconds=0.0)
    assert rows_of(views) == live
    log.close()
    log.engine.dispose()
    views.dispose()


def head_after_outage(log: Log) -> int:
    """The first question after a killed connection may fail."""
    while True:
        try:
            return log.head()
        except StoreUnavailable:
            continue
