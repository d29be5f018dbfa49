"""Rebuilds: beside the tables that answer, in one step in their place, and killed at any moment."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from msgspec.structs import replace
from prometheus_client import REGISTRY
from sqlalchemy import Connection, Engine, inspect, select

from runledger.projections import metrics, rebuilding, runs
from runledger.projections.builds import active, reading
from runledger.projections.catalogue import PROJECTIONS
from runledger.projections.errors import RebuildRunning, RebuildStopped
from runledger.projections.exclusion import alone
from runledger.projections.naming import name_of
from runledger.projections.positions import positions, status
from runledger.projections.projection import Fact, Projection, Write
from runledger.projections.rebuilding import abandon, rebuild
from runledger.projections.runner import Runner
from runledger.projections.tables import builds
from runledger.tracker.events.run import RunNoted, RunRenamed
from runledger.tracker.store.engine import write
from runledger.tracker.store.log import Log
from tests.projections.conftest import Story, requested, rows_of, started
from tests.projections.lives import tell_lives

CatchUp = Callable[[], None]


class Killed(BaseException):
    """The process dies here."""


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "PAGE_EVENTS", 40)
    monkeypatch.setattr(rebuilding, "PORTION_EVENTS", 7)


def rebuild_now(log: Log, views: Engine, projections: Sequence[Projection] = PROJECTIONS) -> None:
    rebuild(log, views, projections, grace_seconds=0.0)


def tables_of(views: Engine) -> set[str]:
    return set(inspect(views).get_table_names())


def doing(projection: Projection, action: Callable[[Sequence[Fact]], None]) -> Projection:
    """A projection with which something happens before each page is folded."""

    def fold(conn: Connection, batch: Sequence[Fact]) -> Write:
        action(batch)
        return projection.fold(conn, batch)

    return replace(projection, fold=fold)


def killed_after(projection: Projection, pages: int) -> Projection:
    count = iter(range(pages))

    def die(_: Sequence[Fact]) -> None:
        if next(count, None) is None:
            raise Killed

    return doing(projection, die)


def test_a_rebuild_changes_no_row_and_leaves_one_set_of_tables(
    story: Story, log: Log, views: Engine, catch_up: CatchUp
) -> None:
    tell_lives(story, random.Random(11), after_each=catch_up)
    live, before = rows_of(views), tables_of(views)
    for _ in range(2):
        rebuild_now(log, views)
        assert rows_of(views) == live
    answering = {f"{table.name}_b2" for each in PROJECTIONS for table in each.tables}
    plain = {table.name for each in PROJECTIONS for table in each.tables}
    assert tables_of(views) == before - plain | answering
    with reading(views) as conn:
        assert active(conn) == {each.name: 2 for each in PROJECTIONS}
        assert set(positions(conn).values()) == {log.head()}


def test_the_new_tables_are_made_like_the_old(
    story: Story, log: Log, views: Engine, catch_up: CatchUp
) -> None:
    story.run("r1", requested())
    catch_up()
    before = shapes(views, 0)
    rebuild_now(log, views)
    assert shapes(views, 1) == before


def shapes(views: Engine, build: int) -> dict[str, object]:
    """Of each table: columns with their types, keys and indexes, by their columns."""
    found = inspect(views)
    named = [(table.name, name_of(table.name, build)) for each in PROJECTIONS for table in each.tables]
    return {
        plain: (
            [
                (column["name"], repr(column["type"]), column["nullable"])
                for column in found.get_columns(name)
            ],
            found.get_pk_constraint(name)["constrained_columns"],
            sorted(index["column_names"] for index in found.get_indexes(name)),
            sorted(unique["column_names"] for unique in found.get_unique_constraints(name)),
        )
        for plain, name in named
    }


def test_the_runner_goes_on_with_what_took_over(
    story: Story, log: Log, views: Engine, catch_up: CatchUp
) -> None:
    story.run("r1", requested())
    runner = Runner(log, views)
    runner.catch_up()
    rebuild_now(log, views, [runs.PROJECTION])
    story.run("r1", RunRenamed(name="after"))
    runner.catch_up()
    with reading(views) as conn:
        run = runs.get_run(conn, "r1")
        assert run is not None and run.name == "after"
        assert active(conn)["runs"] == 1 and active(conn)["metrics"] == 0


def test_answers_are_those_of_the_old_tables_until_the_end_and_never_mixed(
    story: Story, log: Log, views: Engine, catch_up: CatchUp
) -> None:
    """The new fold calls every run otherwise: an answer has the old name and the old tag, or both new."""
    tell_lives(story, random.Random(12), turns=200)
    story.run("x", requested("x", tags={"told": "old"}))
    catch_up()
    told: list[tuple[str, dict[str, str]]] = []

    def otherwise(projection: Projection) -> Projection:
        def fold(conn: Connection, batch: Sequence[Fact]) -> Write:
            ask()
            return projection.fold(conn, [renamed(fact) for fact in batch])

        return replace(projection, fold=fold)

    def renamed(fact: Fact) -> Fact:
        if fact.subject != "x":
            return fact
        return replace(fact, event=replace(fact.event, name="new", tags={"told": "new"}))

    def ask() -> None:
        with reading(views) as conn:
            run = runs.get_run(conn, "x")
            assert run is not None
            told.append((run.name, run.tags))

    stop = threading.Event()

    def ask_on() -> None:
        while not stop.wait(0.002):
            ask()

    asking = threading.Thread(target=ask_on, daemon=True)
    asking.start()
    rebuild_now(log, views, [otherwise(runs.PROJECTION)])
    ask()
    stop.set()
    asking.join(30)
    seen = {(name, tags["told"]) for name, tags in told}
    assert seen == {("x", "old"), ("new", "new")}
    assert told.index(("new", {"told": "new"})) >= 3


def test_an_answer_that_has_begun_stays_with_its_tables(
    story: Story, log: Log, views: Engine, catch_up: CatchUp
) -> None:
    story.run("r1", requested(), started())
    story.metrics("r1", 1, ("loss", 1, 0.5), ("loss", 2, 0.25))
    catch_up()
    with reading(views) as conn:
        assert runs.get_run(conn, "r1") is not None
        rebuild_without_dropping(log, views)
        story.run("r1", RunRenamed(name="after"))
        catch_up()
        old = runs.get_run(conn, "r1")
        assert old is not None and old.name == "a run"
        assert metrics.series(conn, "r1", "loss").value == (0.5, 0.25)
    with reading(views) as conn:
        new = runs.get_run(conn, "r1")
        assert new is not None and new.name == "after"


def rebuild_without_dropping(log: Log, views: Engine) -> None:
    """As if the process died as soon as the new tables had taken over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuilding, "drop_retired", lambda *_: None)
        rebuild_now(log, views)


def test_what_a_killed_rebuild_left_after_taking_over_is_dropped_by_the_next(
    story: Story, log: Log, views: Engine, catch_up: CatchUp
) -> None:
    story.run("r1", requested())
    catch_up()
    rebuild_without_dropping(log, views)
    assert "runs_v1" in tables_of(views)
    rebuild_now(log, views, [metrics.PROJECTION])
    assert "runs_v1" not in tables_of(views)
    with reading(views) as conn:
        assert runs.get_run(conn, "r1") is not None
        assert list(conn.execute(select(builds))) == []


@pytest.mark.parametrize("pages", range(4))
def test_a_killed_rebuild_goes_on_where_it_was(
    story: Story, log: Log, views: Engine, catch_up: CatchUp, pages: int
) -> None:
    tell_lives(story, random.Random(13), turns=160)
    catch_up()
    live = rows_of(views)
    with pytest.raises(Killed):
        rebuild_now(log, views, [killed_after(runs.PROJECTION, pages), metrics.PROJECTION])
    assert rows_of(views) == live
    done = rebuild(log, views, [runs.PROJECTION, metrics.PROJECTION], grace_seconds=0.0)
    assert done.events == log.head() - 40 * pages
    assert rows_of(views) == live


def test_other_code_begins_anew(
    story: Story, log: Log, views: Engine, catch_up: CatchUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_lives(story, random.Random(14))
    catch_up()
    live = rows_of(views)
    with pytest.raises(Killed):
        rebuild_now(log, views, [killed_after(runs.PROJECTION, 2)])
    monkeypatch.setattr(rebuilding, "code_digest", lambda: "other")
    done = rebuild(log, views, [runs.PROJECTION], grace_seconds=0.0)
    assert done.events == log.head()
    assert rows_of(views) == live


def test_what_an_interrupted_rebuild_left_can_be_dropped(
    story: Story, log: Log, views: Engine, catch_up: CatchUp
) -> None:
    tell_lives(story, random.Random(15))
    catch_up()
    live, before = rows_of(views), tables_of(views)
    with pytest.raises(Killed):
        rebuild_now(log, views, [killed_after(runs.PROJECTION, 1), metrics.PROJECTION])
    assert tables_of(views) > before
    assert abandon(views) == 2
    assert (tables_of(views), rows_of(views)) == (before, live)


def test_two_rebuilds_at_once_are_refused(story: Story, log: Log, views: Engine, catch_up: CatchUp) -> None:
    story.run("r1", requested())
    refused: list[str] = []

    def begin_another(_: Sequence[Fact]) -> None:
        with pytest.raises(RebuildRunning, match="another rebuild"):
            rebuild_now(log, views)
        refused.append("refused")

    rebuild_now(log, views, [doing(runs.PROJECTION, begin_another)])
    assert refused == ["refused"]
    with alone(views):
        pass


def test_events_that_come_meanwhile_are_in_the_new_tables(
    story: Story, log: Log, views: Engine, catch_up: CatchUp
) -> None:
    """A runner goes on beside it, and is further than the rebuild each time it would take over."""
    tell_lives(story, random.Random(16))
    catch_up()
    live = Runner(log, views)
    names = iter(range(5))

    def tell_more(_: Sequence[Fact]) -> None:
        if (number := next(names, None)) is not None:
            story.run("r1", RunRenamed(name=f"name {number}"))
            live.catch_up()

    rebuild_now(log, views, [doing(runs.PROJECTION, tell_more)])
    with reading(views) as conn:
        run = runs.get_run(conn, "r1")
        assert run is not None and run.name == "name 4"
        assert positions(conn)["runs"] == log.head()


def test_a_rebuild_makes_nothing_but_rows(
    story: Story, log: Log, views: Engine, catch_up: CatchUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tells others of progress or of stoppages is silent until the new tables answer."""
    story.run("r1", requested(), RunNoted(note="poison"))
    catch_up()
    numbers = dict(numbers_of_runs())
    with reading(views) as conn:
        told = status(conn, log.head())
    with pytest.raises(RebuildStopped):
        rebuild_now(log, views, [poisoned(runs.PROJECTION)])
    with reading(views) as conn:
        assert status(conn, log.head()) == told
    assert dict(numbers_of_runs()) == numbers


def numbers_of_runs() -> Iterator[tuple[str, float]]:
    for family in REGISTRY.collect():
        for sample in family.samples:
            if sample.name.startswith("runledger_projection") and not sample.name.endswith("_created"):
                yield f"{sample.name} {sample.labels}", sample.value


def poisoned(projection: Projection) -> Projection:
    def refuse(batch: Sequence[Fact]) -> None:
        if any(isinstance(fact.event, RunNoted) for fact in batch):
            raise ValueError("this one I cannot take")

    return doing(projection, refuse)


def test_a_rebuild_that_meets_a_poison_event_names_it_and_leaves_everything_as_it_was(
    story: Story, log: Log, views: Engine, catch_up: CatchUp
) -> None:
    tell_lives(story, random.Random(17))
    story.run("x", requested(), started())
    bad = story.run("x", RunNoted(note="poison"))
    story.run("x", RunRenamed(name="after"))
    catch_up()
    first = next(each for each in log.tail(0).events if each.type == "RunNoted").position
    live, before = rows_of(views), tables_of(views)
    with pytest.raises(RebuildStopped, match=r"RunNoted.*this one I cannot take") as caught:
        rebuild_now(log, views, [metrics.PROJECTION, poisoned(runs.PROJECTION)])
    assert (caught.value.projection, caught.value.position) == ("runs", min(first, bad))
    assert (tables_of(views), rows_of(views)) == (before, live)


def test_a_rebuild_ends_a_stoppage(story: Story, log: Log, views: Engine, catch_up: CatchUp) -> None:
    story.run("r1", requested(), RunNoted(note="poison"))
    Runner(log, views, [poisoned(runs.PROJECTION)]).catch_up()
    rebuild_now(log, views, [runs.PROJECTION])
    with reading(views) as conn:
        (told,) = [each for each in status(conn, log.head()) if each.name == "runs"]
    assert (told.stopped, told.lag) == (None, 0)


def test_a_runner_at_position_0_writes_nothing_into_tables_that_were_taken_over_from(
    story: Story, log: Log, views: Engine
) -> None:
    story.run("r1", requested())
    late = Runner(log, views, [doing(runs.PROJECTION, once(lambda: rebuild_now(log, views)))])
    late.catch_up()
    assert late.running == ("runs",)
    with reading(views) as conn:
        assert runs.get_run(conn, "r1") is not None
        assert active(conn)["runs"] == 1


def test_a_runner_writes_nothing_into_tables_that_were_taken_over_from(
    story: Story, log: Log, views: Engine, catch_up: CatchUp
) -> None:
    """The takeover comes between its reading and its writing; the old tables are there still."""
    story.run("r1", requested())
    catch_up()
    story.run("r1", RunRenamed(name="after"))
    late = Runner(log, views, [doing(runs.PROJECTION, once(lambda: rebuild_without_dropping(log, views)))])
    late.catch_up()
    assert late.running == ("runs",)
    with reading(views) as conn:
        run = runs.get_run(conn, "r1")
        assert run is not None and run.name == "after"
    with views.connect() as conn:
        old = runs.get_run(conn, "r1")
        assert old is not None and old.name == "a run"


def once(action: Callable[[], None]) -> Callable[[Sequence[Fact]], None]:
    left = [action]
    return lambda _: left.pop()() if left else None


def test_a_rebuild_of_an_empty_log_takes_over_as_well(log: Log, views: Engine, story: Story) -> None:
    rebuild_now(log, views)
    story.run("r1", requested())
    Runner(log, views).catch_up()
    with reading(views) as conn:
        assert runs.get_run(conn, "r1") is not None


def test_who_may_read_the_old_tables_may_read_the_new(
    postgresql_databases: object, views: Engine, log: Log
) -> None:
    if views.dialect.name != "postgresql":
        return
    with role(views) as name:
        with write(views) as conn:
            conn.exec_driver_sql(f'GRANT SELECT, INSERT ON runs_v1 TO "{name}"')
        rebuild_now(log, views)
        with reading(views) as conn:
            granted = conn.exec_driver_sql(
                "SELECT privilege_type FROM information_schema.role_table_grants"
                f" WHERE table_name = 'runs_v1_b1' AND grantee = '{name}'"
            )
            assert {row[0] for row in granted} == {"SELECT", "INSERT"}


@contextmanager
def role(views: Engine) -> Iterator[str]:
    name = f"r_{views.url.database}"
    with write(views) as conn:
        conn.exec_driver_sql(f'CREATE ROLE "{name}"')
    try:
        yield name
    finally:
        with write(views) as conn:
            conn.exec_driver_sql(f'DROP OWNED BY "{name}"')
            conn.exec_driver_sql(f'DROP ROLE "{name}"')
