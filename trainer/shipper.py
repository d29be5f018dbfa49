"""Ships the journal in its order, from a thread of its own: telemetry always, facts while the lease is held.

Whatever is out of reach is tried again for as long as it takes; the training does not notice. A batch
goes out when its mark is read, so re-shipping after a crash cuts nothing anew.
"""

from __future__ import annotations

import logging
import threading
import time

from tracker.errors import Fenced
from tracker.ids import RunId
from tracker.journal import (
    Artifact,
    Checkpoint,
    Environment,
    Evaluated,
    Mark,
    Points,
    Reader,
    Record,
)
from trainer.attempt.job import Folder
from trainer.errors import GaveUp
from trainer.facts import Facts
from trainer.retrying import Retry
from trainer.services import Services
from trainer.telemetry import Telemetry

logger = logging.getLogger(__name__)

OUTPUT_SECONDS = 2.0
IDLE_SECONDS = 0.05


class Shipper:
    """`facts` is None for the journal of an attempt that is over: its telemetry alone still counts."""

    def __init__(
        self,
        services: Services,
        folder: Folder,
        run_id: RunId,
        attempt: int,
        *,
        facts: Facts | None,
        give_up: threading.Event,
    ) -> None:
        self._folder = folder
        self._facts = facts
        self._retry = Retry(give_up)
        self._telemetry = Telemetry(services, run_id, attempt)
        self._reader = Reader(folder.journal, on_bad=self._set_aside)
        self._points: list[Points] = []
        self._last_mark = 0
        self._evaluated: list[Evaluated] = []
        self._output_at = 0.0
        self.is_fenced = threading.Event()
        """Another attempt has taken over: nothing of this one is a fact any more."""
        self.is_complete = False
        """All of the journal has been shipped."""

    def ship_until(self, finished: threading.Event) -> None:
        """Follow the journal; once `finished` is set, ship what is left, unless told to give up."""
        try:
            self._retry(self._telemetry.resume)
            while not finished.is_set():
                if not self.ship_some():
                    finished.wait(IDLE_SECONDS)
            self.ship_rest()
        except GaveUp:
            logger.warning("%s: not all could be shipped", self._folder.path.name)
        else:
            self.is_complete = True

    def ship_some(self) -> bool:
        """What there is now. Whether there was anything."""
        entries = self._reader.read()
        for entry in entries:
            self._ship(entry.record)
        if time.monotonic() - self._output_at >= OUTPUT_SECONDS:
            self._output_at = time.monotonic()
            return self._retry(self._ship_output) or bool(entries)
        return bool(entries)

    def ship_rest(self) -> None:
        """Nobody writes any more: all that is left, also points that no mark closed, but for a torn tail."""
        while self.ship_some():
            pass
        if torn := self._reader.torn_bytes():
            logger.warning("%s: a torn tail of %d bytes is cut", self._reader.path, torn)
        if self._points:
            self._ship(Mark(number=self._last_mark + 1))
        while self._retry(self._ship_output):
            pass

    def _ship(self, record: Record) -> None:
        match record:
            case Points():
                self._points.append(record)
            case Mark():
                points, self._points, self._last_mark = self._points, [], record.number
                self._retry(lambda: self._ship_batch(record.number, points))
            case Evaluated():
                self._evaluated.append(record)
            case Environment() | Checkpoint() | Artifact():
                self._retry(lambda: self._tell(record))

    def _ship_batch(self, mark: int, points: list[Points]) -> None:
        self._telemetry.resume()
        self._telemetry.ship_batch(mark, points)

    def _ship_output(self) -> bool:
        self._telemetry.resume()
        return self._telemetry.ship_output(self._folder.output)

    def _tell(self, record: Environment | Checkpoint | Artifact) -> None:
        if self._facts is None or self.is_fenced.is_set():
            return
        try:
            match record:
                case Environment():
                    self._facts.environment(record)
                case Artifact():
                    self._facts.artifact(record)
                case Checkpoint():
                    self._facts.checkpoint(record, self._evaluated, self._telemetry.covers(record.mark))
                    self._evaluated = []
        except Fenced as fenced:
            logger.error("%s", fenced)
            self.is_fenced.set()

    def _set_aside(self, offset: int, frame: bytes, problem: str) -> None:
        logger.error("%s: record at %d left out: %s", self._reader.path, offset, problem)
        if self._facts is not None:
            self._facts.quarantine(frame, problem)
