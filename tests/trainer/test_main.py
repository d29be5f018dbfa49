"""How a worker refuses to start: with a word that names the thing, and a documented status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trainer.world import ROOT, World


def start(**variables: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RUNLEDGER_")}
    given = {f"RUNLEDGER_{key}": value for key, value in variables.items()}
    return subprocess.run(
        [sys.executable, "-P", "-m", "runledger.trainer"],
        env={**kept, "PYTHONPATH": str(ROOT), **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_setting_that_does_not_fit_is_named() -> None:
    done = start(LEASE_SECONDS="soon")
    assert (done.returncode, "RUNLEDGER_LEASE_SECONDS" in done.stderr) == (78, True)


def test_a_broker_that_is_none_is_named(sqlite_world: World, tmp_path: Path) -> None:
    done = start(BROKER_URL="kafka://x", LEDGER_URL=sqlite_world.ledger_url, DATA=str(tmp_path / "data"))
    assert (done.returncode, "RUNLEDGER_BROKER_URL" in done.stderr) == (78, True)


def test_a_database_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    done = start(LEDGER_URL="postgresql://u@127.0.0.1:1/nowhere", DATA=str(tmp_path))
    assert (done.returncode, "127.0.0.1:1/nowhere" in done.stderr) == (69, True)


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = start(DATA=str(tmp_path / "file" / "data"))
    assert done.returncode == 69
    assert "file/data" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not os.access("/proc", os.F_OK), reason="no read-only file system at hand")
def test_a_read_only_folder_is_named() -> None:
    done = start(DATA="/proc/runledger")
    assert (done.returncode, "/proc/runledger" in done.stderr) == (69, True)
