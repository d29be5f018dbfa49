"""Migrations of the two databases, forwards only, by alembic; what the processes themselves never do.

`migrations/ledger/versions` and `migrations/views/versions` hold one file per step. A whole upgrade is
one transaction under one lock, so any number of processes may start it together.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.engine import LEDGER, VIEWS, is_postgresql, read, side_of, target_of, write

FOLDER = Path(__file__).parent
# Any number that nobody else takes in the same database.
LOCK_KEYS = {LEDGER: 7_304_201, VIEWS: 7_304_202}


def upgrade_ledger(engine: Engine) -> None:
    """Bring the ledger to the newest revision. Raises `StoreUnavailable`, also for one of a newer release."""
    _upgrade(engine, LEDGER)


def upgrade_views(engine: Engine) -> None:
    """Bring the views to the newest revision. Raises `StoreUnavailable`."""
    _upgrade(engine, VIEWS)


def current(engine: Engine) -> str | None:
    """The revision that the database is at; None for one that was never migrated."""
    with read(engine) as conn:
        revision: str | None = MigrationContext.configure(conn).get_current_revision()
    return revision


def newest(engine: Engine) -> str | None:
    """The revision that this version of the code wants the database to be at."""
    revision: str | None = ScriptDirectory.from_config(_config(side_of(engine))).get_current_head()
    return revision


def _upgrade(engine: Engine, side: str) -> None:
    if side_of(engine) != side:
        raise ValueError(f"this engine was opened for the {side_of(engine)}, not for the {side}")
    config = _config(side)
    with write(engine) as conn:
        if is_postgresql(engine):
            _enter_schema(conn, side)
        _check_known(engine, config, MigrationContext.configure(conn).get_current_revision())
        config.attributes["connection"] = conn
        command.upgrade(config, "head")


def _check_known(engine: Engine, config: Config, revision: str | None) -> None:
    """Forwards only: what a newer release has migrated is left alone."""
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise StoreUnavailable(target_of(engine), f"is at revision {revision}, made by a newer release")


def _config(side: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(FOLDER / side / "versions"))
    return config


def _enter_schema(conn: Connection, side: str) -> None:
    """Wait for whoever migrates now, then make sure of the schema that `search_path` names."""
    conn.execute(text("SET LOCAL lock_timeout = 0"))
    conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEYS[side]})
    conn.execute(text(f"CREATE SCHEMA IF NOT EXISTS {side}"))
