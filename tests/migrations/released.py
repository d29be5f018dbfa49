"""Databases as a release has left them, kept as SQL. `python -m tests.migrations.released VERSION` keeps one.

A ledger with some of everything in it, sealed, its read models and what the sink remembers. Releases are
added and never made anew: the rows are those that the code of the day has written.
"""

from __future__ import annotations

import os
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, make_url

from runledger.api import tokens
from runledger.api.writing import idempotency
from runledger.migrations import upgrade_ledger, upgrade_views
from runledger.projections.mlflow.state import Progress, RunState, SinkState
from runledger.projections.runner import Runner
from runledger.tracker.ids import Stream, WorkerId
from runledger.tracker.seal.notes import public_key_of
from runledger.tracker.seal.place import Place
from runledger.tracker.seal.sealer import Sealer
from runledger.tracker.store import announcements, dispatches, leases
from runledger.tracker.store.cursors import advance
from runledger.tracker.store.dispatches import Dispatch
from runledger.tracker.store.engine import open_ledger, open_views, write
from runledger.tracker.store.log import Log
from runledger.tracker.store.tables import cursors
from tests.conftest import POSTGRESQL_URL, connect_postgresql
from tests.projections.conftest import Story
from tests.projections.lives import tell_lives

RELEASES = Path(__file__).with_name("releases")
NEVER_INSERTED = ("alembic_version", "log_info", "head")
"""A migrated database has rows of its own in these."""


QUOTED = """CASE "{0}" WHEN 9e999 THEN '9e999' WHEN -9e999 THEN '-9e999' ELSE quote("{0}") END"""
"""SQLite quotes infinities as it would not read them."""


class Release(NamedTuple):
    version: str

    @property
    def folder(self) -> Path:
        return RELEASES / self.version

    def sql(self, kind: str, side: str) -> str:
        return (self.folder / f"{kind}-{side}.sql").read_text()

    def rows(self, kind: str, side: str) -> list[str]:
        """Its INSERT statements, but for the tables in which a migrated database has its own."""
        found = re.findall(r"^INSERT INTO .*?\);$", self.sql(kind, side), re.MULTILINE | re.DOTALL)
        others = re.compile(rf"INSERT INTO (\w+\.)?\"?({'|'.join(NEVER_INSERTED)})\"? ")
        return [statement for statement in found if not others.match(statement)]


ALL = [Release(folder.name) for folder in sorted(RELEASES.iterdir())]


def load(release: Release, kind: str, ledger_url: str, views_url: str) -> None:
    """Into empty databases."""
    for side, url in (("ledger", ledger_url), ("views", views_url)):
        execute(kind, url, release.sql(kind, side))


def execute(kind: str, url: str, script: str) -> None:
    if kind == "sqlite":
        with closing(sqlite3.connect(str(make_url(url).database))) as file:
            file.executescript(script)
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(script)  # type: ignore[arg-type]


def fill(ledger: Engine, views: Engine, seals: Path) -> str:
    """Some of everything. The public key that its seals are verified with."""
    log = Log(ledger)
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    tell_lives(Story(log), random.Random(1), turns=30)
    Runner(log, views).catch_up()
    Sealer(log, Place(f"file://{seals}", log.log_id), key).seal()
    tokens.create_token(ledger, "alice")
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    row = Dispatch(
        stream=Stream("run-r0"), attempt=1, position=1, recipe="lm", recipe_digest="d", requested_at=moment
    )
    with write(ledger) as conn:
        advance(conn, cursors, "relay", 0, 9)
        dispatches.add(conn, row)
        leases.claim(conn, "run-r0", 1, "w", 15)
        announcements.announce(conn, announcements.Worker(worker_id=WorkerId("w"), recipes=()))
        idempotency.claim(conn, "alice", "k", "p", idempotency.Done(run_id="r0", experiment_id="e1"))
    state = SinkState(views, "http://mlflow")
    state.begin([RunState(run_id="r0", mirror="m0", experiment="1", progress=Progress(name="r0"))], moment)
    state.note(moment, "away")
    public = str(public_key_of(log.log_id, key))
    log.close()
    return public


def dump_sqlite(url: str) -> Iterator[str]:
    with closing(sqlite3.connect(str(make_url(url).database))) as file:
        made = file.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
        things = made.fetchall()
        yield from (f"{sql};" for kind, _, sql in things if kind == "table")
        for name in sorted(name for kind, name, _ in things if kind == "table"):
            columns = [row[1] for row in file.execute(f'PRAGMA table_info("{name}")')]
            quoted = " || ', ' || ".join(QUOTED.format(column) for column in columns)
            listed = ", ".join(f'"{column}"' for column in columns)
            for (values,) in file.execute(f'SELECT {quoted} FROM "{name}" ORDER BY rowid'):
                yield f'INSERT INTO "{name}" ({listed}) VALUES ({values});'
        yield from (f"{sql};" for kind, _, sql in things if kind != "table")


def dump_postgresql(url: str, side: str) -> str:
    words = [
        "pg_dump",
        "--column-inserts",
        "--no-owner",
        "--no-privileges",
        f"--schema={side}",
        f"--dbname={url}",
    ]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return re.sub(r"^(\\(un)?restrict|SET |SELECT pg_catalog.set_config).*\n", "", said, flags=re.MULTILINE)


def keep(release: Release) -> None:
    """Makes both databases, and writes what they hold."""
    release.folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        urls = [f"sqlite:///{folder}/{side}.db" for side in ("ledger", "views")]
        _keep(release, "sqlite", urls[0], urls[1], Path(folder))
    name = f"runledger_release_{os.getpid()}"
    with connect_postgresql(autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        url = make_url(POSTGRESQL_URL).set(database=name).render_as_string(hide_password=False)
        try:
            with tempfile.TemporaryDirectory() as folder:
                _keep(release, "postgresql", url, url, Path(folder))
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _keep(release: Release, kind: str, ledger_url: str, views_url: str, folder: Path) -> None:
    ledger, views = open_ledger(ledger_url), open_views(views_url)
    upgrade_ledger(ledger)
    upgrade_views(views)
    (release.folder / f"{kind}.key").write_text(f"{fill(ledger, views, folder / 'seals')}\n")
    ledger.dispose()
    views.dispose()
    for side, url in (("ledger", ledger_url), ("views", views_url)):
        script = "\n".join(dump_sqlite(url)) if kind == "sqlite" else dump_postgresql(url, side)
        (release.folder / f"{kind}-{side}.sql").write_text(f"{script}\n")


if __name__ == "__main__":
    keep(Release(sys.argv[1]))
