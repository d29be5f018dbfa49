"""Migrations: forwards on both databases, by any number of processes at once, to what the code declares."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from runledger import migrations
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.engine import is_postgresql, open_ledger, open_views, read, write
from runledger.tracker.store.log import Log
from runledger.tracker.store.tables import ledger as declared
from tests.conftest import Databases
from tests.tracker.store.samples import noted, to

UPGRADE = """
import sys
from runledger import migrations
from runledger.tracker.store.engine import open_ledger, open_views
for open_side, upgrade in ((open_ledger, migrations.upgrade_ledger), (open_views, migrations.upgrade_views)):
    engine = open_side(sys.argv[1] if open_side is open_ledger else sys.argv[2])
    upgrade(engine)
    print(migrations.current(engine))
    engine.dispose()
"""


@pytest.fixture
def empty(databases: Databases) -> Iterator[Engine]:
    engine = open_ledger(databases.empty())
    yield engine
    engine.dispose()


def test_an_empty_database_is_brought_to_the_newest_revision(empty: Engine) -> None:
    assert migrations.current(empty) is None
    migrations.upgrade_ledger(empty)
    assert migrations.current(empty) == migrations.newest(empty) is not None


def test_migrating_again_changes_nothing(empty: Engine) -> None:
    migrations.upgrade_ledger(empty)
    before = Log(empty).log_id
    migrations.upgrade_ledger(empty)
    assert Log(empty).log_id == before


def test_a_database_of_a_newer_release_is_named_and_left_alone(empty: Engine) -> None:
    migrations.upgrade_ledger(empty)
    with write(empty) as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = 'ledger_9999'"))

    with pytest.raises(StoreUnavailable, match="is at revision ledger_9999, made by a newer release"):
        migrations.upgrade_ledger(empty)


def test_each_log_has_an_id_of_its_own(databases: Databases) -> None:
    ids = set()
    for _ in range(2):
        engine = open_ledger(databases.empty())
        migrations.upgrade_ledger(engine)
        ids.add(Log(engine).log_id)
        engine.dispose()
    assert len(ids) == 2


def test_the_ledger_is_what_the_code_declares(ledger: Engine) -> None:
    with read(ledger) as conn:
        context = MigrationContext.configure(
            conn, opts={"compare_type": True, "include_object": _is_compared}
        )
        assert compare_metadata(context, declared) == []


def _is_compared(of: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
    """Indexes over expressions cannot be reflected."""
    return name not in ("dispatches_queue", "log_info_one_row")


def test_the_two_sides_share_a_database_but_no_table(databases: Databases) -> None:
    ledger_url, views_url = databases.migrated()
    for engine in (open_ledger(ledger_url), open_views(views_url)):
        other = "views" if engine.get_execution_options()["runledger_side"] == "ledger" else "ledger"
        assert migrations.current(engine) == migrations.newest(engine)
        with read(engine) as conn:
            if is_postgresql(engine):
                assert conn.scalar(text("SHOW search_path")) != other
        engine.dispose()


def test_a_side_is_not_migrated_as_the_other(empty: Engine) -> None:
    with pytest.raises(ValueError, match="opened for the ledger"):
        migrations.upgrade_views(empty)


def test_processes_that_start_together_migrate_once(databases: Databases, database_kind: str) -> None:
    url = databases.empty()
    urls = (url, url) if database_kind == "postgresql" else (url, f"{url}.views")
    started = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, *urls], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    said = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0] * 3, [errors for _, errors in said]
    assert len({output for output, _ in said}) == 1
    engine = open_ledger(url)
    assert len(Log(engine).log_id) == 32
    engine.dispose()


def test_a_migration_that_fails_leaves_nothing_behind(empty: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("half way")

    monkeypatch.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", fail)
    with pytest.raises(RuntimeError, match="half way"):
        migrations.upgrade_ledger(empty)
    monkeypatch.undo()
    assert migrations.current(empty) is None
    migrations.upgrade_ledger(empty)
    assert migrations.current(empty) == migrations.newest(empty)


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_payloads_are_compressed_the_fast_way_where_the_server_can(empty: Engine) -> None:
    migrations.upgrade_ledger(empty)
    with read(empty) as conn:
        can = conn.scalar(
            text("SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'")
        )
        log = Log(empty)
        log.append(to("run-1", 0, noted("well " * 2_000)))
        used = conn.scalar(text("SELECT pg_column_compression(payload) FROM events")) if can else "pglz"
    log.close()
    assert used == ("lz4" if can else "pglz")
