"""Databases for the tests: each test gets its own, migrated, on SQLite and on PostgreSQL.

Migrated once per session; a test's own is a copy of that file, or that database, cleared.
PostgreSQL is found through RUNLEDGER_TEST_POSTGRESQL_URL (its database is only where we begin from);
where there is none the tests are skipped, or failed where CI is set.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
from sqlalchemy import Engine, make_url

from runledger import migrations
from runledger.tracker.store.engine import open_ledger, open_views
from runledger.tracker.store.log import Log

POSTGRESQL_URL = os.environ.get("RUNLEDGER_TEST_POSTGRESQL_URL", "postgresql://root@127.0.0.1:5432/postgres")


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
    """Databases that are used again and again: to drop one takes seconds, to clear it milliseconds."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._migrated: list[str] = []
        self._empty: list[str] = []
        self._lent: list[tuple[list[str], str]] = []

    def migrated(self) -> tuple[str, str]:
        name = self._migrated.pop() if self._migrated else self._create_migrated()
        self._lent.append((self._migrated, name))
        self._run(name, CLEAR)
        return _postgresql_url(name), _postgresql_url(name)

    def empty(self) -> str:
        name = self._empty.pop() if self._empty else self._create()
        self._lent.append((self._empty, name))
        self._run(name, "DROP SCHEMA IF EXISTS ledger, views CASCADE")
        return _postgresql_url(name)

    def take_back(self) -> None:
        for free, name in self._lent:
            free.append(name)
        self._lent.clear()

    def drop_all(self) -> None:
        self.take_back()
        for name in (*self._migrated, *self._empty):
            self._connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _create_migrated(self) -> str:
        name = self._create()
        _migrate(_postgresql_url(name), _postgresql_url(name))
        self._run(name, KEEP_FIRST_ROWS)
        return name

    def _create(self) -> str:
        name = f"runledger_test_{os.getpid()}_{uuid.uuid4().hex[:12]}"
        self._connection.execute(f"CREATE DATABASE {name}")
        return name

    def _run(self, name: str, statements: str) -> None:
        """Alone in the database: what a killed process has left there is ended first."""
        self._connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        with psycopg.connect(_postgresql_url(name)) as connection:
            connection.execute(statements)


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
CLEAR = """
DO $$ DECLARE t record; BEGIN
    ALTER TABLE ledger.events DISABLE TRIGGER ALL;
    ALTER TABLE ledger.log_info DISABLE TRIGGER ALL;
    FOR t IN SELECT schemaname, tablename, schemaname || '_' || tablename AS kept FROM pg_tables
        WHERE schemaname IN ('ledger', 'views')
    LOOP
        EXECUTE format('DELETE FROM %I.%I', t.schemaname, t.tablename);
        EXECUTE format('INSERT INTO %I.%I TABLE first_rows.%I', t.schemaname, t.tablename, t.kept);
    END LOOP;
    ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER events_refuse_change;
    ALTER TABLE ledger.log_info ENABLE ALWAYS TRIGGER log_info_refuse_change;
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
        connection = psycopg.connect(POSTGRESQL_URL, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as problem:
        missing(f"PostgreSQL at {POSTGRESQL_URL}: {problem}")
    with connection:
        server = PostgresqlDatabases(connection)
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
