"""Databases that cannot be reached or written, or are lost on the way: said by name, and soon."""

from __future__ import annotations

import logging
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, make_url, text

from runledger import migrations
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store import leases
from runledger.tracker.store.cursors import advance
from runledger.tracker.store.direct import Direct
from runledger.tracker.store.engine import is_postgresql, open_ledger, open_views, read, write
from runledger.tracker.store.log import Log
from runledger.tracker.store.statements import INSERT_AT_ONCE
from runledger.tracker.store.tables import cursors
from tests.conftest import Databases
from tests.tracker.store.samples import noted, to


@pytest.fixture
def mounts() -> Iterator[list[Path]]:
    """Mount points to be undone after the test."""
    mounted: list[Path] = []
    yield mounted
    for path in mounted:
        subprocess.run(["umount", str(path)], check=True)


def mount(mounted: list[Path], path: Path, *options: str) -> None:
    done = subprocess.run(["mount", *options, str(path)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
    mounted.append(path)


def lose_reply(engine: Engine, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> None:
    """The next commits take effect, but the connection breaks before they answer."""
    left = [times]

    def commit(connection: Any) -> None:
        connection.commit()
        if left[0] > 0:
            left[0] -= 1
            connection.dbapi_connection.close()
            raise _broken(engine)

    monkeypatch.setattr(engine.dialect, "do_commit", commit)
    fetch = Direct.fetch

    def fetch_and_break(direct: Direct, statement: str, parameters: Any) -> Any:
        """PostgreSQL's fast way is one statement, which commits itself."""
        rows = fetch(direct, statement, parameters)
        if statement == INSERT_AT_ONCE and left[0] > 0:
            left[0] -= 1
            direct.close()
            raise StoreUnavailable("the ledger", "server closed the connection unexpectedly")
        return rows

    monkeypatch.setattr(Direct, "fetch", fetch_and_break)
    commit_directly = Direct.commit

    def commit_and_break(direct: Direct) -> None:
        """SQLite's fast way ends with a statement that the driver is given."""
        commit_directly(direct)
        if not direct.is_postgresql and left[0] > 0:
            left[0] -= 1
            direct.close()
            raise direct.translated(_broken(engine))

    monkeypatch.setattr(Direct, "commit", commit_and_break)


def _broken(engine: Engine) -> sqlite3.Error | psycopg.Error:
    if is_postgresql(engine):
        return psycopg.OperationalError("server closed the connection unexpectedly")
    problem = sqlite3.OperationalError("disk I/O error")
    problem.sqlite_errorcode = sqlite3.SQLITE_IOERR
    return problem


def test_a_reply_that_is_lost_after_the_commit_is_a_success(
    log: Log, ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(to("run-1", 0))
    lose_reply(ledger, monkeypatch)
    assert log.append(to("run-1", 1, noted(), noted())) == 3
    assert log.append(to("run-1", 3)) == 4
    assert [each.version for each in log.tail(0).events] == [1, 2, 3, 4]


def test_a_lost_reply_does_not_repeat_what_was_done_within(
    log: Log, ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_reply(ledger, monkeypatch)
    assert log.append(to("run-1", 0), within=lambda conn: advance(conn, cursors, "relay", 0, 1)) == 1
    assert log.head() == 1


def test_a_commit_that_never_happened_is_unavailable(
    log: Log, ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def commit(connection: Any) -> None:
        connection.rollback()
        raise _broken(ledger)

    def commit_directly(direct: Direct) -> None:
        direct.roll_back()
        raise direct.translated(_broken(ledger))

    monkeypatch.setattr(ledger.dialect, "do_commit", commit)
    monkeypatch.setattr(Direct, "commit", commit_directly)
    ways = [lambda conn: None] if is_postgresql(ledger) else [None, lambda conn: None]
    for way in ways:
        with pytest.raises(StoreUnavailable):
            log.append(to("run-1", 0), within=way)
    monkeypatch.undo()
    assert log.append(to("run-1", 0)) == 1


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_an_append_goes_through_after_its_connection_was_killed(
    log: Log, ledger: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    log.append(to("run-1", 0))
    with psycopg.connect(ledger.url.set(drivername="postgresql").render_as_string(False)) as admin:
        for version in range(1, 4):
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            admin.commit()
            assert log.append(to("run-1", version)) == version + 1
            assert log.version("run-1") == version + 1
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


def test_a_server_that_is_not_there_is_named_soon() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    engine = open_ledger(f"postgresql://someone:secret@127.0.0.1:{port}/ledger")
    begin = time.monotonic()
    for refused in (Log, migrations.upgrade_ledger, migrations.current):
        with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}") as problem:
            refused(engine)
        assert "secret" not in str(problem.value)
    assert time.monotonic() - begin < 10
    engine.dispose()


def test_a_server_that_does_not_answer_is_given_up_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        engine = open_views(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/views")
        begin = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1"):
            migrations.upgrade_views(engine)
        assert time.monotonic() - begin < 15
        engine.dispose()


def test_a_ledger_that_was_never_migrated_says_what_to_do(databases: Databases) -> None:
    engine = open_ledger(databases.empty())
    with pytest.raises(StoreUnavailable, match="runledger migrate"):
        Log(engine)
    engine.dispose()


@pytest.mark.parametrize(
    "url", ["mysql://host/db", "sqlite://", "sqlite:///:memory:", "nonsense", "postgresql://host"]
)
def test_an_address_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(StoreUnavailable):
        open_ledger(url)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    engine = open_ledger(f"sqlite:///{tmp_path / 'nowhere' / 'ledger.db'}")
    with pytest.raises(StoreUnavailable, match="nowhere"):
        migrations.upgrade_ledger(engine)
    engine.dispose()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database at all" * 100)
    engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    with pytest.raises(StoreUnavailable, match=r"ledger\.db"):
        migrations.upgrade_ledger(engine)
    engine.dispose()


def test_a_read_only_folder_is_named(tmp_path: Path, mounts: list[Path]) -> None:
    mount(mounts, tmp_path, "--bind", str(tmp_path))
    engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    migrations.upgrade_ledger(engine)
    engine.dispose()
    mount_again = subprocess.run(["mount", "-o", "remount,bind,ro", str(tmp_path)], check=False)
    assert mount_again.returncode == 0
    engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    begin = time.monotonic()
    for refused in (Log, migrations.upgrade_ledger):
        with pytest.raises(StoreUnavailable, match=r"ledger\.db"):
            refused(engine)
    assert time.monotonic() - begin < 5
    engine.dispose()


def test_a_full_disk_refuses_appends_and_keeps_what_was_said(tmp_path: Path, mounts: list[Path]) -> None:
    mount(mounts, tmp_path, "-t", "tmpfs", "-o", "size=1m", "tmpfs")
    engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    migrations.upgrade_ledger(engine)
    log = Log(engine)
    said = 0
    with pytest.raises(StoreUnavailable, match="full") as problem:
        while said < 1000:
            said = log.append(to("run-1", said, noted("x" * 20_000)))
    assert str(tmp_path) in str(problem.value)
    assert 0 < said < 1000
    assert (log.head(), len(log.tail(0).events)) == (said, said)
    log.close()
    engine.dispose()


def test_a_disk_too_small_to_begin_with_is_named(tmp_path: Path, mounts: list[Path]) -> None:
    mount(mounts, tmp_path, "-t", "tmpfs", "-o", "size=64k", "tmpfs")
    engine = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    with pytest.raises(StoreUnavailable, match=r"ledger\.db"):
        migrations.upgrade_ledger(engine)
    engine.dispose()


def test_a_locked_file_is_given_up_in_time(
    sqlite_databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runledger.tracker.store.engine.BUSY_SECONDS", 0.3)
    engine = open_ledger(sqlite_databases.migrated()[0])
    log = Log(engine)
    with write(engine) as conn:
        conn.execute(text("UPDATE head SET position = position"))
        begin = time.monotonic()
        for way in (None, lambda conn: None):
            with pytest.raises(StoreUnavailable, match="locked"):
                log.append(to("run-1", 0), within=way)
        with pytest.raises(StoreUnavailable, match="locked"):
            leases.renew(engine, "run-1", 1, 60)
        assert time.monotonic() - begin < 5
        assert log.head() == 0
    assert log.append(to("run-1", 0)) == 1
    log.close()
    engine.dispose()


def test_a_failed_statement_is_not_taken_for_an_outage(ledger: Engine) -> None:
    from sqlalchemy.exc import DBAPIError

    with pytest.raises(DBAPIError), read(ledger) as conn:
        conn.execute(text("SELECT * FROM nothing_like_that"))


def test_the_password_is_not_shown(ledger: Engine) -> None:
    from runledger.tracker.store.engine import target_of

    assert "***" in target_of(open_ledger("postgresql://a:secret@host/db"))
    assert make_url(target_of(ledger)).database == ledger.url.database
