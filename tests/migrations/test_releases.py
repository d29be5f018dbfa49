"""What a release has left is brought forward, and the release's code goes on working beside the newer one.

That code is stood for by its statements: the rows that it has written, with the columns that it knew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import pytest
from sqlalchemy import Engine, MetaData, inspect, select

from runledger import migrations
from runledger.api import tokens
from runledger.migrations import current, newest, upgrade_ledger, upgrade_views
from runledger.projections.mlflow import state as mlflow
from runledger.projections.runner import Runner
from runledger.tracker.seal.notes import parse_public_key
from runledger.tracker.seal.verifying import verify_log
from runledger.tracker.store import announcements, dispatches, leases
from runledger.tracker.store.engine import open_ledger, open_views, read, side_of, write
from runledger.tracker.store.log import Log
from tests.conftest import Databases
from tests.migrations.released import ALL, NEVER_INSERTED, Release, execute, load
from tests.projections.conftest import rows_of
from tests.tracker.store.samples import to


class Both(NamedTuple):
    ledger: Engine
    views: Engine
    urls: tuple[str, str]


@pytest.fixture(params=ALL, ids=lambda release: release.version)
def release(request: pytest.FixtureRequest) -> Release:
    found: Release = request.param
    return found


@pytest.fixture
def empty(databases: Databases, database_kind: str) -> Iterator[Both]:
    """Two sides that hold nothing yet."""
    ledger_url = databases.empty()
    views_url = ledger_url if database_kind == "postgresql" else databases.empty()
    both = Both(open_ledger(ledger_url), open_views(views_url), (ledger_url, views_url))
    yield both
    both.ledger.dispose()
    both.views.dispose()


@pytest.fixture
def left(empty: Both, release: Release, database_kind: str) -> Both:
    """As the release has left them."""
    load(release, database_kind, *empty.urls)
    return empty


def upgrade(both: Both) -> None:
    upgrade_ledger(both.ledger)
    upgrade_views(both.views)


def test_a_database_of_the_release_comes_to_the_newest_revision_whole(
    left: Both, release: Release, database_kind: str
) -> None:
    before = {table: rows for table, rows in contents(left.ledger).items() if table != "alembic_version"}
    upgrade(left)

    for engine in (left.ledger, left.views):
        assert current(engine) == newest(engine)
    after = contents(left.ledger)
    assert {table: after[table] for table in before} == before
    key = parse_public_key((release.folder / f"{database_kind}.key").read_text())
    with closing(Log(left.ledger)) as log:
        found = verify_log(log, [key])
        assert (found.fault, found.sealed) == (None, log.head())
        assert all(recorded.event is not None for recorded in log.tail(0).events)


def contents(engine: Engine) -> dict[str, list[str]]:
    """Every row of every table, of the columns that are there."""
    metadata = MetaData()
    metadata.reflect(engine)
    with read(engine) as conn:
        return {
            table.name: sorted(repr(dict(row)) for row in conn.execute(select(table)).mappings())
            for table in metadata.sorted_tables
        }


def test_work_goes_on_where_the_release_stopped(left: Both) -> None:
    upgrade(left)
    with closing(Log(left.ledger)) as log:
        head = log.head()
        version = log.read("run-r0")[-1].version
        assert log.append(to("run-r0", version)) == head + 1
        Runner(log, left.views).catch_up()
        grown = rows_of(left.views)
    with read(left.ledger) as conn:
        assert [row.stream for row in dispatches.waiting(conn)] == ["run-r0"]
        assert [each.worker_id for each in announcements.workers(conn)] == ["w"]
        assert leases.get(conn, "run-r0") is not None
    assert [token.holder for token in tokens.list_tokens(left.ledger)] == ["alice"]
    with read(left.views) as conn:
        assert (mlflow.status(conn).problem, mlflow.status(conn).mirrored_runs) == ("away", 1)
    assert grown == made_anew(left)


def made_anew(both: Both) -> dict[str, list[str]]:
    """The read models of that log, from nothing."""
    with write(both.views) as conn:
        metadata = MetaData()
        metadata.reflect(conn)
        for table in metadata.sorted_tables:
            if table.name != "alembic_version":
                conn.execute(table.delete())
    with closing(Log(both.ledger)) as log:
        Runner(log, both.views).catch_up()
    return rows_of(both.views)


def test_what_the_release_writes_fits_into_the_newest_schema(
    empty: Both, release: Release, database_kind: str
) -> None:
    """Its processes go on while others are upgraded: no column that they do not know is asked of them."""
    upgrade(empty)
    for side, url in zip(("ledger", "views"), empty.urls, strict=True):
        rows = release.rows(database_kind, side)
        assert len(rows) > 20
        execute(database_kind, url, "\n".join(rows))
    with read(empty.ledger) as conn:
        assert dispatches.waiting(conn)


Columns = dict[str, dict[str, tuple[str, bool]]]
"""By table and name: the type, and whether it may be null."""


def columns(engine: Engine) -> Columns:
    found = inspect(engine)
    return {
        table: {
            column["name"]: (str(column["type"]), column["nullable"]) for column in found.get_columns(table)
        }
        for table in found.get_table_names()
    }


def test_no_migration_takes_away_what_a_release_has_made(left: Both) -> None:
    before = {side_of(engine): columns(engine) for engine in (left.ledger, left.views)}
    upgrade(left)
    for engine in (left.ledger, left.views):
        after = columns(engine)
        for table, kept in before[side_of(engine)].items():
            assert {name: after.get(table, {}).get(name) for name in kept} == kept
            new = [name for name in after[table] if name not in kept]
            assert [name for name in new if not may_be_left_out(engine, table, name)] == []


def may_be_left_out(engine: Engine, table: str, name: str) -> bool:
    (column,) = (each for each in inspect(engine).get_columns(table) if each["name"] == name)
    return bool(column["nullable"]) or column["default"] is not None


def test_a_migration_that_takes_something_away_would_be_found(left: Both) -> None:
    """The comparison itself."""
    before = columns(left.ledger)
    with write(left.ledger) as conn:
        conn.exec_driver_sql("ALTER TABLE dispatches RENAME COLUMN labels TO tags")
    after = columns(left.ledger)
    assert {name: after["dispatches"].get(name) for name in before["dispatches"]} != before["dispatches"]


def test_the_rows_kept_are_those_of_every_table(release: Release, database_kind: str) -> None:
    """But of those that are empty where nothing goes wrong."""
    rows = "\n".join(release.rows(database_kind, "ledger"))
    expected = {
        "events",
        "cursors",
        "leases",
        "dispatches",
        "workers",
        "idempotency_keys",
        "api_tokens",
        "seals",
    }
    for table in expected:
        assert f"{table} (" in rows or f'"{table}" (' in rows
    assert not any(f" {table} (" in rows or f'"{table}" (' in rows for table in NEVER_INSERTED)


def test_each_step_is_one_forwards() -> None:
    """No revision of either side has two that follow it, and none goes back."""
    for side in ("ledger", "views"):
        script = migrations.ScriptDirectory.from_config(migrations._config(side))
        assert len(script.get_heads()) == 1
        assert not any(hasattr(step.module, "downgrade") for step in script.walk_revisions())
