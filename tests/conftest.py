"""Databases for the tests: each test gets its own, migrated, on SQLite and on PostgreSQL.

Migrated once per session; a test's own is a copy of that file, or a database made from that template.
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

import migrations
from tracker.store.engine import open_ledger, open_views
from tracker.store.log import Log

POSTGRESQL_URL = os.environ.get("RUNLEDGER_TEST_POSTGRESQL_URL", "postgresql://root@127.0.0.1:5432/postgres")


class Databases(Protocol):
    """Makes databases of one kind. What it made is dropped at the end."""

    def migrated(self) -> tuple[str, str]:
        """Addresses of a fresh ledger and its views, both migrated."""

    def empty(self) -> str:
        """The address of a database that holds nothing yet."""


class SqliteDatabases:
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

    def _urls(self, folder: Path) -> tuple[str, str]:
        return f"sqlite:///{folder / 'ledger.db'}", f"sqlite:///{folder / 'views.db'}"


class PostgresqlDatabases:
    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._made: list[str] = []
        self._template = self._create()
        _migrate(self._url(self._template), self._url(self._template))

    def migrated(self) -> tuple[str, str]:
        url = self._url(self._create(f"TEMPLATE {self._template}"))
        return url, url

    def empty(self) -> str:
        return self._url(self._create())

    def drop_all(self) -> None:
        for name in self._made:
            self._connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._made.clear()

    def _create(self, options: str = "") -> str:
        name = f"runledger_test_{os.getpid()}_{uuid.uuid4().hex[:12]}"
        self._connection.execute(f"CREATE DATABASE {name} {options}")
        self._made.append(name)
        return name

    def _url(self, name: str) -> str:
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
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgresql_databases() -> Iterator[Databases]:
    try:
        connection = psycopg.connect(POSTGRESQL_URL, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as problem:
        missing(f"PostgreSQL at {POSTGRESQL_URL}: {problem}")
    with connection:
        databases = PostgresqlDatabases(connection)
        yield databases
        databases.drop_all()


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
