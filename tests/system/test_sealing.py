"""The seal of a whole installation: made while it works, wherever it is killed, and good for something."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from tests.system.conftest import Install
from tests.system.installation import Installation, runledger, until
from tests.system.requests import toy
from tests.system.test_docs import run as follow
from tests.tracker.seal.attacks import Attacker

pytestmark = pytest.mark.system

SOON = {"RUNLEDGER_SEAL_SECONDS": "0.2"}


def finished(installation: Installation) -> str:
    launched = installation.client.launch(**toy(steps=3))
    installation.client.wait(launched.run_id, timeout_seconds=60)
    return str(launched.run_id)


def sealed(installation: Installation) -> dict[str, Any]:
    """The state of the seal once it covers everything."""

    def ask() -> dict[str, Any] | None:
        state: dict[str, Any] = json.loads(installation.run("seal", "status", "--json").stdout)
        return state if state["size"] == state["head"] else None

    return until(ask, what="the seal")


def verified(installation: Installation, data: Path, *words: str) -> tuple[int, dict[str, Any]]:
    done = runledger(
        "verify", "--json", *words, environment={**installation.environment, "RUNLEDGER_DATA": str(data)}
    )
    return done.returncode, json.loads(done.stdout)


def test_a_run_is_sealed_exported_verified_and_a_forgery_is_found(install: Install, tmp_path: Path) -> None:
    installation = install(SOON, "--no-mlflow")
    run_id = finished(installation)
    state = sealed(installation)
    assert state["problem"] is None

    data = installation.data
    seals = str(data / "seals")
    follow_page("how-to/verify-the-log.md", installation, run_id, tmp_path)

    status, found = verified(installation, data)
    assert (status, found["fault"], found["sealed"]) == (0, None, state["size"])
    assert found["seals_outside"] == found["seals_in_database"] > 0

    forged = tmp_path / "forged"
    forged.mkdir()
    with create_engine(f"sqlite:///{data / 'ledger.db'}").connect() as source:
        source.exec_driver_sql(f"VACUUM INTO '{forged / 'ledger.db'}'")
    shutil.copy(data / "seal.key", forged)
    Attacker(create_engine(f"sqlite:///{forged / 'ledger.db'}")).run(
        "UPDATE events SET actor = 'somebody else' WHERE position = 3"
    )
    status, found = verified(installation, forged, "--seals", seals)
    assert (status, found["fault"]["position"]) == (7, 3)


def follow_page(page: str, installation: Installation, run_id: str, cwd: Path) -> None:
    """The page's commands, but for what only a restore makes sense of."""
    restored = 'runledger restored --reason "the disk failed; backup of last night"'
    environment = {**installation.environment, "RUN": run_id}
    (cwd / "public.key").write_text(installation.run("seal", "public-key").stdout)
    follow(page, installation.port, environment, cwd, frozenset({restored}))


def test_a_sealer_that_is_killed_again_and_again_goes_on(install: Install) -> None:
    installation = install(SOON, "--no-mlflow")
    for _ in range(3):
        launched = installation.client.launch(**toy(steps=20))
        installation.kill("projections")
        installation.client.wait(launched.run_id, timeout_seconds=60)
    state = sealed(installation)

    status, found = verified(installation, installation.data)
    assert (status, found["fault"], found["sealed"]) == (0, None, state["size"])
    assert found["seals_outside"] == found["seals_in_database"]


def test_an_older_copy_is_noticed_and_explained(install: Install, tmp_path: Path) -> None:
    first = install(SOON, "--no-mlflow")
    finished(first)
    sealed(first)
    backup = tmp_path / "ledger.db"
    with create_engine(f"sqlite:///{first.data / 'ledger.db'}").connect() as source:
        source.exec_driver_sql(f"VACUUM INTO '{backup}'")
    finished(first)
    sealed(first)
    first.close()

    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm", "views.db", "views.db-wal", "views.db-shm"):
        (first.data / name).unlink(missing_ok=True)
    shutil.copy(backup, first.data / "ledger.db")
    second = install({**SOON, "RUNLEDGER_DATA": str(first.data)}, "--no-mlflow")
    until(lambda: any("sealer has stopped" in each for each in second.client.health().problems))
    status, found = verified(second, first.data)
    assert (status, "it is missing" in found["fault"]["problem"]) == (7, True)

    assert second.run("restored", "--reason", "the disk failed").returncode == 0
    finished(second)
    sealed(second)
    status, found = verified(second, first.data)
    assert (status, [each["reason"] for each in found["restores"]]) == (0, ["the disk failed"])
