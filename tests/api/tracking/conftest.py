"""Runs of one's own without a tracker: in this process, or as scripts in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from runledger.api.tracking.folders import AttemptFolder, run_folders
from runledger.tracker.journal import Ended, Points, Reader, Record
from tests.system.installation import clean_environment, until


class Runs:
    """A journals folder, scripts that use it, and what they have written there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journals = folder / "journals"
        self.environment = {
            **clean_environment(),
            "RUNLEDGER_JOURNALS": str(self.journals),
            "RUNLEDGER_OFFLINE": "1",
        }

    def start(self, script: str, **environment: str) -> subprocess.Popen[str]:
        """A script below `import os, runledger, sys`; it may say `ready()` and then wait for SIGKILL."""
        path = self.folder / "script.py"
        path.write_text(HEADER + textwrap.dedent(script))
        return subprocess.Popen(
            [sys.executable, "-P", str(path)],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(script, **environment)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def interrupt(self, script: str, signum: signal.Signals) -> subprocess.CompletedProcess[str]:
        """Send it a signal once it is ready."""
        process = self.start(script)
        until((self.folder / "ready").exists, 30, "the script")
        process.send_signal(signum)
        out, err = process.communicate(timeout=60)
        (self.folder / "ready").unlink()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def attempts(self) -> list[AttemptFolder]:
        """Of all runs."""
        return [attempt for run in run_folders(self.journals) for attempt in run.attempts()]

    def records(self, attempt: AttemptFolder | None = None) -> list[Record]:
        """Of the last attempt."""
        reader = Reader((attempt or self.attempts()[-1]).journal)
        found: list[Record] = []
        while entries := reader.read():
            found += [entry.record for entry in entries]
        return found

    def ended(self) -> Ended | None:
        """How the last attempt ended."""
        last = self.records()[-1]
        return last if isinstance(last, Ended) else None

    def points(self) -> list[tuple[int, dict[str, float]]]:
        return [(each.step, each.values) for each in self.records() if isinstance(each, Points)]


HEADER = """\
import os, pathlib, sys, time
import runledger

def ready():
    pathlib.Path("ready").touch()
    while True:
        time.sleep(60)

"""


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    for name in [name for name in os.environ if name.startswith("RUNLEDGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RUNLEDGER_JOURNALS", str(tmp_path / "journals"))
    monkeypatch.setenv("RUNLEDGER_OFFLINE", "1")
    return Runs(tmp_path)
