"""docs/how-to/back-up-and-restore.md, followed on both databases while everything runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from runledger.api.client import NotFound
from runledger.migrations import upgrade_ledger
from runledger.tracker.store.engine import open_ledger
from runledger.tracker.store.log import Log
from tests.conftest import Databases, connect_postgresql
from tests.postgresql_server import USER, PostgresqlServer
from tests.system.conftest import Install
from tests.system.installation import Installation, until
from tests.system.requests import toy
from tests.system.test_docs import DOCS
from tests.tracker.store.samples import noted, to

pytestmark = pytest.mark.system

SOON = {"RUNLEDGER_SEAL_SECONDS": "0.2"}


def blocks(title: str) -> list[str]:
    """The commands of each console block below a heading, as one script."""
    page = (DOCS / "how-to/back-up-and-restore.md").read_text()
    section = page.split(f"\n## {title}\n")[1].split("\n## ")[0]
    found = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    return [re.sub(r"^\s*\$ ", "", block, flags=re.MULTILINE) for block in found]


def follow(script: str, cwd: Path, environment: dict[str, str]) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    words = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(
        words, cwd=cwd, env={**environment, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"


def finished(installation: Installation) -> str:
    launched = installation.client.launch(**toy(steps=3))
    assert installation.client.wait(launched.run_id, timeout_seconds=60).status == "completed"
    return str(launched.run_id)


def sealed(installation: Installation) -> bool:
    state = json.loads(installation.run("seal", "status", "--json").stdout)
    return bool(state["size"] == state["head"])


def verified(installation: Installation, **changed: str) -> int:
    words = [sys.executable, "-P", "-m", "runledger.api.cli", "verify"]
    environment = {**installation.environment, **changed}
    return subprocess.run(words, env=environment, capture_output=True, check=False).returncode


def test_a_copy_of_the_files_brings_back_what_was_there_then(install: Install, tmp_path: Path) -> None:
    backup, restore = blocks("SQLite")
    (explain,) = blocks("After a restore")
    installation = install(SOON, "--no-mlflow")
    kept = finished(installation)
    until(lambda: sealed(installation), what="the seal")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".runledger").symlink_to(installation.data)
    follow(backup, home, installation.environment)
    lost = finished(installation)
    until(lambda: sealed(installation), what="the seal")
    installation.close()

    environment = {**installation.environment, "RUNLEDGER_DATA": ".runledger"}
    follow(restore, home, environment)
    assert verified(installation) == 7
    follow(explain, home, environment)
    again = Installation(installation.data, SOON, ("--no-mlflow",)).wait_until_up()
    try:
        assert again.client.run(kept).status == "completed"
        assert b"step 3" in again.client.logs(kept)
        with pytest.raises(NotFound):
            again.client.run(lost)
        finished(again)
        until(lambda: sealed(again), what="the seal")
        assert verified(again) == 0
    finally:
        again.close()


def test_a_dump_is_restored_with_the_guards_of_the_log(
    install: Install, postgresql_databases: Databases, tmp_path: Path
) -> None:
    backup, restore = blocks("PostgreSQL")
    source, target = postgresql_databases.empty(), postgresql_databases.empty()
    installation = install({"RUNLEDGER_LEDGER_URL": source, **SOON}, "--no-mlflow")
    finished(installation)
    until(lambda: sealed(installation), what="the seal")

    environment = {**installation.environment, "LEDGER": source, "RESTORED": target}
    follow(backup, tmp_path, environment)
    follow(restore, tmp_path, environment)

    assert verified(installation, RUNLEDGER_LEDGER_URL=target) == 0
    assert head_of(target) == head_of(source)
    with connect_postgresql(target, autocommit=True) as connection:
        for change in ("UPDATE ledger.events SET actor = 'me'", "DELETE FROM ledger.seals"):
            with pytest.raises(psycopg.errors.RestrictViolation):
                connection.execute(change)


def head_of(url: str) -> int:
    engine = open_ledger(url)
    log = Log(engine)
    head = log.head()
    log.close()
    engine.dispose()
    return head


def settings_of(title: str) -> list[str]:
    """The blocks of PostgreSQL's own configuration below a heading."""
    page = (DOCS / "how-to/back-up-and-restore.md").read_text()
    return re.findall(r"```ini\n(.*?)```", page.split(f"\n## {title}\n")[1].split("\n## ")[0], re.DOTALL)


class ArchivedServer(PostgresqlServer):
    """With a configuration and folders of its own."""

    def folder(self, name: str) -> Path:
        path = self._folder / name
        path.mkdir(mode=0o700)
        if self._as:
            shutil.chown(path, USER)
        return path

    def configure(self, lines: str) -> None:
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(f"\n{lines}")

    def back_up(self, command: str) -> None:
        program, *words = command.split()
        self._programs = (self._programs / "initdb").resolve().parent
        self._run(program, *words, "--host=127.0.0.1", f"--port={self.port}", "--username=root")

    def take(self, base: Path, lines: str) -> None:
        """Begin again with what a base backup holds."""
        self._data = base
        self.configure(lines)
        (base / "recovery.signal").touch()


@pytest.fixture
def server() -> Iterator[ArchivedServer]:
    made = ArchivedServer()
    yield made
    made.remove()


def test_a_server_is_restored_to_a_point_in_time(server: ArchivedServer) -> None:
    page = (DOCS / "how-to/back-up-and-restore.md").read_text()
    (back_up,) = re.findall(r"^pg_basebackup .*", page, re.MULTILINE)
    archiving, restoring = settings_of("PostgreSQL")
    archive, base = server.folder("archive"), server.folder("base")
    server.configure(archiving.replace("/archive", str(archive)))
    server.start()
    ledger = open_ledger(server.url)
    upgrade_ledger(ledger)
    with closing(Log(ledger)) as log:
        log.append(to("run-1", 0, noted("before the base")))
        server.back_up(back_up.replace("/backups/base", str(base)))
        kept = log.append(to("run-1", 1, noted("before the moment")))
        with connect_postgresql(server.url, autocommit=True) as connection:
            moment = str(connection.execute("SELECT clock_timestamp()").fetchone()[0])  # type: ignore[index]
            log.append(to("run-1", 2, noted("too late")))
            connection.execute("SELECT pg_switch_wal()")
    ledger.dispose()
    until(lambda: len(list(archive.glob("0*"))) >= 3, what="the archive")
    server.stop()

    restoring = re.sub("2026-03-01 12:00:00\\+00", moment, restoring.replace("/archive", str(archive)))
    server.take(base, restoring)
    server.start()
    ledger = open_ledger(server.url)
    until(lambda: is_writable(server.url), what="the promotion")
    with closing(Log(ledger)) as log:
        assert log.head() == kept
        assert log.append(to("run-1", 2, noted("goes on"))) == kept + 1
    ledger.dispose()


def is_writable(url: str) -> bool:
    with connect_postgresql(url) as connection:
        row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    return row == (False,)
