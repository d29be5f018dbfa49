"""The courier of a run: a process of its own that ships the journal, and is started again if it dies.

It outlives the training: what is left when that ends, or is killed, it still ships.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading

from runledger.api.tracking.folders import RunFolder
from runledger.api.tracking.settings import TrackingSettings
from runledger.tracker.programs import start_program

logger = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
BAD_USAGE = 2
"""The status of a courier that would fail in the same way again."""


class CourierProcess:
    """Kept alive by a thread until `leave`."""

    def __init__(self, folder: RunFolder, settings: TrackingSettings) -> None:
        self._folder = folder
        self._environment = {
            **os.environ,
            "RUNLEDGER_URL": settings.address,
            "RUNLEDGER_TOKEN": settings.token or "",
            "RUNLEDGER_FLUSH_SECONDS": str(settings.flush_seconds),
        }
        self._left = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Raises `OSError` where no process can be started."""
        self.process = self._spawn()
        threading.Thread(target=self._keep, args=(self.process,), name="courier", daemon=True).start()

    def leave(self) -> None:
        """The training is over: whoever ships the rest is not started again."""
        self._left.set()

    def _spawn(self) -> subprocess.Popen[bytes]:
        if not sys.executable or getattr(sys, "frozen", False):  # which would be the training once more
            raise FileNotFoundError("this program has no executable of Python")
        with self._folder.courier_log.open("ab") as log:
            return start_program(
                [sys.executable, "-P", "-m", "runledger.api.courier", str(self._folder.path)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _keep(self, process: subprocess.Popen[bytes]) -> None:
        """Reaps each courier that ends before its training, and starts the next, ever more slowly."""
        wait_seconds = FIRST_WAIT_SECONDS
        while True:
            if process.wait() == BAD_USAGE:
                logger.warning(
                    "run %s waits for `runledger sync`: %s says why",
                    self._folder.run_id,
                    self._folder.courier_log,
                )
                return
            if self._left.wait(wait_seconds):
                return
            if wait_seconds == FIRST_WAIT_SECONDS:
                logger.warning(
                    "the courier of run %s has ended with status %s and is started again: see %s",
                    self._folder.run_id,
                    process.returncode,
                    self._folder.courier_log,
                )
            wait_seconds = min(wait_seconds * 2, LONGEST_WAIT_SECONDS)
            try:
                process = self.process = self._spawn()
            except OSError as problem:
                logger.warning("run %s cannot be told to its tracker: %s", self._folder.run_id, problem)
                return
