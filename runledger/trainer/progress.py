"""How far an attempt is, read from its journal: an outage of the tracker is no hang of the training."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from runledger.tracker.journal import Checkpoint, Ended, Mark, Opened, Points, Progress, Reader, Record


class ProgressWatch:
    """Follows a journal. Movement is a step, an item, a byte or a phase; not that the process lives."""

    def __init__(self, journal: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = Reader(journal, on_bad=lambda offset, frame, problem: None)  # the shipper reports it
        self._clock = clock
        self.now = Progress(phase="preparing")
        self.step: int | None = None
        self.ended: Ended | None = None
        self.moved_at = clock()

    def begin(self) -> None:
        """The process starts now: what was before is no silence of it."""
        self.moved_at = self._clock()

    def look(self) -> None:
        """Read what has been written since."""
        while entries := self._reader.read():
            for entry in entries:
                if self._take(entry.record):
                    self.moved_at = self._clock()

    def _take(self, record: Record) -> bool:
        """Whether the record is a movement."""
        match record:
            case Progress():
                self.now = record
            case Ended():
                self.ended = record
            case Points():
                moved = record.step != self.step
                self.step = record.step
                return moved
            case Checkpoint():
                self.step = record.step
        return not isinstance(record, Opened | Mark)
