"""`runledger migrate`, and the databases as the other commands open them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
import msgspec
from sqlalchemy import Engine

from runledger.api.cli import preflight
from runledger.api.cli.exits import SetupProblem
from runledger.api.cli.output import Output, with_output
from runledger.migrations import current, newest, upgrade_ledger, upgrade_views
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.settings import StorageSettings, load
from runledger.tracker.store.engine import open_ledger, open_views, target_of


class Migrated(msgspec.Struct, frozen=True, kw_only=True):
    """One database and the revision that it is at now."""

    database: str
    target: str
    revision: str | None


@click.command()
@with_output
def migrate(output: Output) -> None:
    """Bring the ledger and the views to the newest schema. Harmless where they are."""
    migrated = upgrade(load(StorageSettings, os.environ))
    lines = [f"{one.database} is at revision {one.revision} ({one.target})" for one in migrated]
    output.result(migrated, lines)


def upgrade(storage: StorageSettings) -> list[Migrated]:
    """Both databases to the newest schema. Raises SetupProblem naming the one that cannot be reached."""
    return [
        _upgrade("ledger", storage, open_ledger(storage.ledger)),
        _upgrade("views", storage, open_views(storage.views)),
    ]


@contextmanager
def migrated_ledger() -> Iterator[Engine]:
    """The ledger of the environment. Raises SetupProblem where it is not at the newest revision."""
    engine = open_ledger(load(StorageSettings, os.environ).ledger)
    try:
        if engine.url.get_backend_name() == "sqlite":
            _check_exists(engine)
        if current(engine) != newest(engine):
            raise SetupProblem(f"database {target_of(engine)} is not at the newest schema: runledger migrate")
        yield engine
    finally:
        engine.dispose()


def in_words(problem: StoreUnavailable) -> SetupProblem:
    return SetupProblem(f"database {problem.target}: {problem.problem}")


def _upgrade(database: str, storage: StorageSettings, engine: Engine) -> Migrated:
    try:
        if engine.url.get_backend_name() == "sqlite":
            storage.data.mkdir(parents=True, exist_ok=True)
        {"ledger": upgrade_ledger, "views": upgrade_views}[database](engine)
        return Migrated(database=database, target=target_of(engine), revision=current(engine))
    except StoreUnavailable as problem:
        raise in_words(problem) from problem
    except OSError as problem:
        raise SetupProblem(f"data folder {storage.data}: {(problem.strerror or '').lower()}") from problem
    finally:
        engine.dispose()


def _check_exists(engine: Engine) -> None:
    """A question must not make an empty database."""
    if not preflight.is_file(engine.url.database):
        raise SetupProblem(f"there is no database {target_of(engine)}: runledger migrate")
