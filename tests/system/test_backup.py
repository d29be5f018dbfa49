"""docs/how-to/back-up-and-restore.md, followed on both databases while everything runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from runledger.api.client import NotFound
from runledger.tracker.store.engine import open_ledger
from runledger.tracker.store.log import Log
from tests.conftest import Databases, connect_postgresql
from tests.system.conftest import Install
from tests.system.installation import Installation, until
from tests.system.requests import toy
from tests.system.test_docs import DOCS

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
