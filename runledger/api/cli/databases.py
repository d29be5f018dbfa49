"""`runledger migrate`, and the databases as the other commands open them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import click
import msgspec
from sqlalchemy import Engine

from runledger.api.cli import preflight
from runledger.api.cli.exits import SetupProblem
from runledger.api.cli.output import Output, with_output
from runledger.migrations import current, newest, upgrade_ledger, upgrade_views
from runledger.migrations.roles import RoleSettings, make_roles, refresh_grants
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.settings import StorageSettings, load
from runledger.tracker.store.engine import open_ledger, open_views, target_of


class Migrated(msgspec.Struct, frozen=True, kw_only=True):
    """One database and the revision that it is at now."""

    database: str
    target: str
    revision: str | None
    roles: list[str] = []
    """Which may use it, beside its owner."""


@click.command()
@click.option(
    "--roles",
    is_flag=True,
    help="On PostgreSQL: also make a role for each kind of process, which may do what that does and no more.",
)
@with_output
def migrate(output: Output, roles: bool) -> None:
    """Bring the ledger and the views to the newest schema. Harmless where they are.

    Roles that were made before are granted what they need of it.
    """
    settings = load(RoleSettings, os.environ)
    grant = partial(make_roles if roles else refresh_grants, settings=settings)
    migrated = upgrade(load(StorageSettings, os.environ), grant)
    lines = [f"{one.database} is at revision {one.revision} ({one.target})" for one in migrated]
    lines += [f"{one.database} is open to {', '.join(one.roles)}" for one in migrated if one.roles]
    output.result(migrated, lines)


def upgrade(
    storage: StorageSettings,
    grant: Callable[[Engine], list[str]] = partial(refresh_grants, settings=RoleSettings()),  # noqa: B008
) -> list[Migrated]:
    """Both databases to the newest schema. Raises SetupProblem naming the one that cannot be reached."""
    return [
        _upgrade("ledger", storage, open_ledger(storage.ledger), grant),
        _upgrade("views", storage, open_views(storage.views), grant),
    ]


@contextmanager
def migrated_ledger() -> Iterator[Engine]:
    """The ledger of the environment. Raises SetupProblem where it is not at the newest revision."""
    with _migrated(open_ledger(load(StorageSettings, os.environ).ledger)) as engine:
        yield engine


@contextmanager
def migrated_views() -> Iterator[Engine]:
    """The read models, likewise."""
    with _migrated(open_views(load(StorageSettings, os.environ).views)) as engine:
        yield engine


def in_words(problem: StoreUnavailable) -> SetupProblem:
    return SetupProblem(f"database {problem.target}: {problem.problem}")


@contextmanager
def _migrated(engine: Engine) -> Iterator[Engine]:
    try:
        if engine.url.get_backend_name() == "sqlite":
            _check_exists(engine)
        if current(engine) != newest(engine):
            raise SetupProblem(f"database {target_of(engine)} is not at the newest schema: runledger migrate")
        yield engine
    finally:
        engine.dispose()


def _upgrade(
    database: str, storage: StorageSettings, engine: Engine, grant: Callable[[Engine], list[str]]
) -> Migrated:
    try:
        if engine.url.get_backend_name() == "sqlite":
            storage.data.mkdir(parents=True, exist_ok=True)
        {"ledger": upgrade_ledger, "views": upgrade_views}[database](engine)
        roles = grant(engine)
        target, revision = target_of(engine), current(engine)
        return Migrated(database=database, target=target, revision=revision, roles=roles)
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
