"""Databases for the tests: each test gets its own, migrated, on SQLite and on PostgreSQL.

Migrated once per session; a test's own is a copy of that file, or that database, cleared.
PostgreSQL is found through RUNLEDGER_TEST_POSTGRESQL_URL (its database is only where we begin from);
where there is none the tests are skipped, or failed where CI is set.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
from sqlalchemy import Engine, make_url

from runledger import migrations
from runledger.tracker.store.engine import open_ledger, open_views
from runledger.tracker.store.log import Log
from tests.deadlines import Deadlines

POSTGRESQL_URL = os.environ.get("RUNLEDGER_TEST_POSTGRESQL_URL", "postgresql://root@127.0.0.1:5432/postgres")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Deadlines(config))


class Databases(Protocol):
    """Lends databases of one kind, until `take_back`."""

    def migrated(self) -> tuple[str, str]:
        """Addresses of a fresh ledger and its views, both migrated."""

    def empty(self) -> str:
        """The address of a database that holds nothing yet."""

    def take_back(self) -> None:
        """What was lent is not used any more."""


class SqliteDatabases:
    """Files; a migrated one is a copy of one that was migrated once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template"
        self._template.mkdir()
        _migrate(*self._urls(self._template))

    def migrated(self) -> tuple[str, str]:
        folder = self._folder / uuid.uuid4().hex
        shutil.copytree(self._template, folder)
        return self._urls(folder)

    def empty(self) -> str:
        return f"sqlite:///{self._folder / uuid.uuid4().hex}.db"

    def take_back(self) -> None:
        """pytest removes the folder."""

    def _urls(self, folder: Path) -> tuple[str, str]:
        return f"sqlite:///{folder / 'ledger.db'}", f"sqlite:///{folder / 'views.db'}"


class PostgresqlDatabases:
    """Databases that are used again and again: to drop one takes much longer than to clear it.

    Their names begin with that of their owner, by which the owner's connection calls itself. So whoever
    comes later can tell those of the dead, on whatever machine they were.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._owner = f"runledger_test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
        self._count = 0
        self._migrated: list[str] = []
        self._empty: list[str] = []
        self._lent: list[tuple[list[str], str]] = []
        connection.execute(
            "SELECT set_config('application_name', %s, false), set_config('statement_timeout', %s, false)",
            [self._owner, f"{STATEMENT_SECONDS}s"],
        )

    def migrated(self) -> tuple[str, str]:
        name = self._whole() or self._create_migrated()
        self._lent.append((self._migrated, name))
        self._run(name, CLEAR)
        return _postgresql_url(name), _postgresql_url(name)

    def empty(self) -> str:
        name = self._empty.pop() if self._empty else self._create()
        self._lent.append((self._empty, name))
        self._run(name, "DROP SCHEMA IF EXISTS ledger, views CASCADE")
        return _postgresql_url(name)

    def _whole(self) -> str | None:
        """One that was migrated and has its tables still: a rebuild leaves others."""
        while self._migrated:
            name = self._migrated.pop()
            with connect_postgresql(_postgresql_url(name)) as connection:
                if not connection.execute(CHANGED_TABLES).fetchall():
                    return name
            self._drop([name])
        return None

    def take_back(self) -> None:
        for free, name in self._lent:
            free.append(name)
        self._lent.clear()

    def drop_all(self) -> None:
        self.take_back()
        self._drop([*self._migrated, *self._empty])

    def sweep(self) -> None:
        """Drops what those have left who were killed; one at a time does that."""
        if not self._ask("SELECT pg_try_advisory_lock(hashtext('runledger_test'))")[0][0]:
            return
        self._drop([name for (name,) in self._ask(ABANDONED)])
        self._ask("SELECT pg_advisory_unlock(hashtext('runledger_test'))")

    def _drop(self, names: Iterable[str]) -> None:
        """As many as can be dropped in time: the others are swept by whoever comes next."""
        deadline = time.monotonic() + DROPPING_SECONDS
        for name in names:
            if time.monotonic() < deadline:
                with suppress(psycopg.Error):
                    self._connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _ask(self, question: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(question).fetchall()

    def _create_migrated(self) -> str:
        name = self._create()
        bounded = f"{_postgresql_url(name)}?options=-c%20statement_timeout%3D{STATEMENT_SECONDS}s"
        _migrate(bounded, bounded)
        self._run(name, KEEP_FIRST_ROWS)
        return name

    def _create(self) -> str:
        self._count += 1
        name = f"{self._owner}_{self._count}"
        self._connection.execute(f"CREATE DATABASE {name}")
        return name

    def _run(self, name: str, statements: str) -> None:
        """Alone in the database: what a killed process has left there is ended first."""
        self._connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        with connect_postgresql(_postgresql_url(name)) as connection:
            connection.execute(statements)


STATEMENT_SECONDS = 60
"""Each statement of the fixtures' own; PostgreSQL ends what takes longer."""
DROPPING_SECONDS = 30.0
ABANDONED = """
SELECT made.datname FROM pg_database AS made
WHERE made.datname ~ '^runledger_test_[0-9]+_[0-9a-f]{8}_[0-9]+$' AND NOT EXISTS (
    SELECT FROM pg_stat_activity AS owner
    WHERE owner.application_name || '_' = substring(made.datname FROM '^.*_')
)
"""
"""An owner is there before its first database is, so this never finds those of one who lives."""


def connect_postgresql(url: str = POSTGRESQL_URL, **how: Any) -> psycopg.Connection:
    """Connecting is bounded, and so is each statement."""
    options = f"-c statement_timeout={STATEMENT_SECONDS}s"
    return psycopg.connect(url, connect_timeout=5, options=options, **how)


# What the migrations have put in is kept beside the tables, and put back after each clearing.
KEEP_FIRST_ROWS = """
CREATE SCHEMA first_rows;
DO $$ DECLARE t record; BEGIN
    FOR t IN SELECT schemaname, tablename, schemaname || '_' || tablename AS kept FROM pg_tables
        WHERE schemaname IN ('ledger', 'views')
    LOOP
        EXECUTE format('CREATE TABLE first_rows.%I AS TABLE %I.%I', t.kept, t.schemaname, t.tablename);
    END LOOP;
END $$
"""
CHANGED_TABLES = """
SELECT schemaname || '_' || tablename FROM pg_tables WHERE schemaname IN ('ledger', 'views')
EXCEPT SELECT tablename FROM pg_tables WHERE schemaname = 'first_rows'
"""
CLEAR = """
DO $$ DECLARE t record; BEGIN
    ALTER TABLE ledger.events DISABLE TRIGGER ALL;
    ALTER TABLE ledger.log_info DISABLE TRIGGER ALL;
    ALTER TABLE ledger.seals DISABLE TRIGGER ALL;
    FOR t IN SELECT schemaname, tablename, schemaname || '_' || tablename AS kept FROM pg_tables
        WHERE schemaname IN ('ledger', 'views')
    LOOP
        EXECUTE format('DELETE FROM %I.%I', t.schemaname, t.tablename);
        EXECUTE format('INSERT INTO %I.%I TABLE first_rows.%I', t.schemaname, t.tablename, t.kept);
    END LOOP;
    ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER events_refuse_change;
    ALTER TABLE ledger.log_info ENABLE ALWAYS TRIGGER log_info_refuse_change;
    ALTER TABLE ledger.seals ENABLE ALWAYS TRIGGER seals_refuse_change;
END $$
"""


def _postgresql_url(name: str) -> str:
    return make_url(POSTGRESQL_URL).set(database=name).render_as_string(hide_password=False)


def _migrate(ledger_url: str, views_url: str) -> None:
    for open_side, upgrade, url in (
        (open_ledger, migrations.upgrade_ledger, ledger_url),
        (open_views, migrations.upgrade_views, views_url),
    ):
        engine = open_side(url)
        upgrade(engine)
        engine.dispose()


@pytest.fixture(scope="session")
def _sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def _postgresql_server() -> Iterator[PostgresqlDatabases]:
    try:
        connection = connect_postgresql(autocommit=True)
    except psycopg.OperationalError as problem:
        missing(f"PostgreSQL at {POSTGRESQL_URL}: {problem}")
    with connection:
        server = PostgresqlDatabases(connection)
        server.sweep()
        yield server
        server.drop_all()


@pytest.fixture
def sqlite_databases(_sqlite_files: SqliteDatabases) -> Databases:
    return _sqlite_files


@pytest.fixture
def postgresql_databases(_postgresql_server: PostgresqlDatabases) -> Iterator[Databases]:
    yield _postgresql_server
    _postgresql_server.take_back()


def missing(what: str) -> None:
    """Skip for want of a service; where CI is set it ought to be there."""
    if os.environ.get("CI"):
        pytest.fail(f"missing in CI: {what}")
    pytest.skip(f"not available: {what}")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Runs the test once for each database."""
    return str(request.param)


@pytest.fixture
def databases(database_kind: str, request: pytest.FixtureRequest) -> Databases:
    made: Databases = request.getfixturevalue(f"{database_kind}_databases")
    return made


@pytest.fixture
def database_urls(databases: Databases) -> tuple[str, str]:
    """Addresses of this test's ledger and views."""
    return databases.migrated()


@pytest.fixture
def ledger(database_urls: tuple[str, str]) -> Iterator[Engine]:
    engine = open_ledger(database_urls[0])
    yield engine
    engine.dispose()


@pytest.fixture
def views(database_urls: tuple[str, str]) -> Iterator[Engine]:
    engine = open_views(database_urls[1])
    yield engine
    engine.dispose()


@pytest.fixture
def log(ledger: Engine) -> Iterator[Log]:
    log = Log(ledger)
    yield log
    log.close()
