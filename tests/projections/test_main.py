"""`python -P -m projections` as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from projections.positions import wait_for
from tests.projections.conftest import Story, requested

ROOT = Path(__file__).parents[2]


def start(**variables: str) -> subprocess.Popen[str]:
    environ = os.environ | {f"RUNLEDGER_{name}": value for name, value in variables.items()}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "projections"],
        env=environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=30)
    return process.returncode, errors


@pytest.mark.system
def test_it_keeps_up_and_ends_on_sigterm(story: Story, views: Engine, database_urls: tuple[str, str]) -> None:
    process = start(LEDGER_URL=database_urls[0], VIEWS_URL=database_urls[1])
    try:
        wait_for(views, story.run("r1", requested()), 30)
        process.send_signal(signal.SIGTERM)
        code, errors = end(process)
    finally:
        process.kill()
    assert code == 0
    assert "keeping up to date: experiments, runs" in errors


@pytest.mark.system
def test_it_names_the_database_that_it_cannot_open(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'nowhere' / 'ledger.db'}"
    code, errors = end(start(LEDGER_URL=url, VIEWS_URL=url))
    assert code == 69
    assert str(tmp_path / "nowhere" / "ledger.db") in errors


@pytest.mark.system
def test_it_names_the_setting_that_does_not_fit(tmp_path: Path) -> None:
    code, errors = end(start(DATA=str(tmp_path), PROJECTIONS_BATCH="many"))
    assert code == 78
    assert "RUNLEDGER_PROJECTIONS_BATCH" in errors
