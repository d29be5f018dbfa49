"""Runs of one's own without a tracker: in this process, or as scripts in processes of their own.

Nothing here waits without a bound, and nothing that was started outlives its test. What scripts say goes to
files: a pipe stays open for as long as anything that a script has started lives.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runledger.api.tracking.folders import AttemptFolder, run_folders
from runledger.tracker.journal import Ended, Points, Reader, Record
from tests.system.installation import clean_environment, cmdline, until


class Runs:
    """A journals folder, scripts that use it, and what they have written there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journals = folder / "journals"
        self._started: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **clean_environment(),
            "RUNLEDGER_JOURNALS": str(self.journals),
            "RUNLEDGER_OFFLINE": "1",
        }

    def start(self, script: str, **environment: str) -> subprocess.Popen[bytes]:
        """A script below `import os, runledger, sys`; it may say `ready()` and then wait for SIGKILL."""
        path = self.folder / "script.py"
        path.write_text(HEADER + textwrap.dedent(script))
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-P", str(path)],
                cwd=self.folder,
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def close(self) -> None:
        """Ends all that is left: scripts with what they have forked, and couriers."""
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        for left in psutil.process_iter():
            if any(word.startswith(str(self.journals)) for word in cmdline(left)):
                left.kill()

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self._finish(self.start(script, **environment))

    def _finish(self, process: subprocess.Popen[bytes]) -> subprocess.CompletedProcess[str]:
        process.wait(60)
        out, err = (self.folder / "out").read_text(), (self.folder / "err").read_text()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def interrupt(self, script: str, signum: signal.Signals) -> subprocess.CompletedProcess[str]:
        """Send it a signal once it is ready."""
        process = self.start(script)
        until((self.folder / "ready").exists, 30, "the script")
        process.send_signal(signum)
        finished = self._finish(process)
        (self.folder / "ready").unlink()
        return finished

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
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    for name in [name for name in os.environ if name.startswith("RUNLEDGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RUNLEDGER_JOURNALS", str(tmp_path / "journals"))
    monkeypatch.setenv("RUNLEDGER_OFFLINE", "1")
    made = Runs(tmp_path)
    yield made
    made.close()
