"""A `logging.Handler` whose records become the run's output."""

from __future__ import annotations

import logging

from runledger.api.tracking.tracked_run import TrackedRun

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class LogHandler(logging.Handler):
    """`logging.getLogger().addHandler(runledger.LogHandler(run))`. Once the run is over it does nothing."""

    def __init__(self, run: TrackedRun, level: int | str = logging.NOTSET) -> None:
        super().__init__(level)
        self._run = run
        self.setFormatter(logging.Formatter(FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 — as every handler: what does not format is told on stderr
            self.handleError(record)
            return
        self._run.copy_output(f"{text}\n")
