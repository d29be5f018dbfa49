"""`python -P -m runledger.projections` as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runledger.projections.__main__ import main
from runledger.projections.positions import wait_for
from runledger.tracker.seal.opening import known_keys
from runledger.tracker.seal.place import Place
from runledger.tracker.seal.settings import SealSettings
from runledger.tracker.seal.verifying import verify_log
from runledger.tracker.settings import StorageSettings
from runledger.tracker.store.engine import open_ledger, open_views
from runledger.tracker.store.log import Log
from tests.conftest import Databases
from tests.projections.conftest import Story, requested
from tests.system.installation import until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def handlers() -> Iterator[None]:
    """Puts back the signal handlers that the entry point sets."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.system
def test_it_keeps_up_and_ends_on_sigterm(sqlite_databases: Databases, tmp_path: Path) -> None:
    ledger_url, views_url = sqlite_databases.migrated()
    log, views = Log(open_ledger(ledger_url)), open_views(views_url)
    variables = {
        "RUNLEDGER_DATA": str(tmp_path),
        "RUNLEDGER_LEDGER_URL": ledger_url,
        "RUNLEDGER_VIEWS_URL": views_url,
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "runledger.projections"],
        env=os.environ | variables | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        position = Story(log).run("r1", requested())
        wait_for(views, position, 60)
        place = Place(f"file://{tmp_path / 'seals'}", log.log_id)
        until(lambda: place.newest(), what="a seal")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        found = verify_log(
            log, known_keys(log.log_id, StorageSettings(data=tmp_path), SealSettings(), None), place
        )
    finally:
        process.kill()
        log.close()
        log.engine.dispose()
        views.dispose()
    assert process.returncode == 0
    assert "keeping up to date: experiments, runs" in errors
    assert (found.sealed, found.seals_outside, found.fault) == (position, 1, None)


@pytest.mark.usefixtures("handlers")
def test_it_names_the_database_that_it_cannot_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RUNLEDGER_DATA", str(tmp_path / "nowhere"))
    assert main() == 69
    assert str(tmp_path / "nowhere" / "ledger.db") in caplog.text


@pytest.mark.usefixtures("handlers")
def test_it_names_the_setting_that_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RUNLEDGER_PROJECTIONS_BATCH", "many")
    assert main() == 78
    assert "RUNLEDGER_PROJECTIONS_BATCH" in caplog.text
