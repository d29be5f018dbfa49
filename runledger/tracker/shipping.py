"""Ships a journal in its order: telemetry always, facts while the attempt may tell any.

Whatever is out of reach is tried again for as long as it takes; the training does not notice. A batch
goes out when its mark is read, so re-shipping after a crash cuts nothing anew. Where it goes is the
affair of two implementations: a worker appends to the log itself, a courier speaks HTTP.
"""

from __future__ import annotations

import bisect
import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from runledger.tracker.errors import Fenced, GaveUp
from runledger.tracker.events.base import Covers
from runledger.tracker.journal import (
    Artifact,
    Checkpoint,
    Ended,
    Environment,
    Evaluated,
    Gap,
    Mark,
    Params,
    Points,
    Progress,
    Reader,
    Record,
)
from runledger.tracker.retrying import Retry

logger = logging.getLogger(__name__)

OUTPUT_SECONDS = 2.0
IDLE_SECONDS = 0.05


class Telemetry(Protocol):
    """The telemetry stream of one attempt. Every call may raise what its `Retry` repeats."""

    def ship_batch(self, number: int, points: Sequence[Points]) -> None:
        """Batches are numbered from 1. Nothing happens where this one is there already."""

    def covers(self, number: int) -> Covers:
        """The part of the stream that ends with that batch, which has been shipped; 0 covers nothing."""

    def ship_output(self, output: Path) -> bool:
        """The next bytes of the output. Whether there were any."""


class Facts(Protocol):
    """Tells the run, blobs first; what the run refuses is set aside, and the rest goes on.

    Every call may be repeated. Raises `Fenced` once another attempt has taken over.
    """

    def environment(self, record: Environment) -> None: ...

    def params(self, record: Params) -> None: ...

    def artifact(self, record: Artifact) -> None: ...

    def checkpoint(self, record: Checkpoint, evaluated: Sequence[Evaluated], covers: Covers) -> None:
        """The checkpoint and the evaluations of its state, in one append."""

    def set_aside(self, record: object, problem: object) -> None:
        """Keep what could not be told, with the reason, where a person can look at it."""


class Shipper:
    """One walk through a journal, from its start.

    `facts` is None for an attempt that is over: its telemetry alone still counts.
    """

    def __init__(
        self, journal: Path, output: Path, telemetry: Telemetry, facts: Facts | None, retry: Retry
    ) -> None:
        self._journal = journal
        self._output = output
        self._telemetry = telemetry
        self._facts = facts
        self._retry = retry
        self._reader = Reader(journal, on_bad=self._on_bad)
        self._points: list[Points] = []
        self._last_mark = 0
        self._lost_marks: list[int] = []
        """Damaged ones: their points belong to the batch of the next."""
        self._evaluated: list[Evaluated] = []
        self._output_at = 0.0
        self.is_fenced = threading.Event()
        """Another attempt has taken over: nothing of this one is a fact any more."""
        self.is_complete = False
        """All of the journal has been shipped."""
        self.ended: Ended | None = None
        """The journal's last word, once it has been read."""
        self._progress: Progress | None = None
        self._step: int | None = None

    @property
    def offset(self) -> int:
        """How much of the journal has been read, in bytes."""
        return self._reader.offset

    @property
    def progress(self) -> Progress:
        """What was said last; of a training that says nothing, the step that was logged last."""
        if self._progress is not None:
            return self._progress
        if self._step is None or self._step < 0:
            return Progress(phase="preparing")
        return Progress(phase="training", done=self._step)

    def ship_until(
        self, finished: threading.Event, *, or_ended: bool = False, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        """Follow the journal; once `finished` is set, ship what is left, unless told to give up.

        With `or_ended`, the journal's own last word is enough.
        """
        try:
            while not (finished.is_set() or (or_ended and self.ended)):
                if not self.ship_some():
                    finished.wait(idle_seconds)
            self.ship_rest()
        except GaveUp:
            logger.warning("%s: not all could be shipped", self._journal.parent.name)
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
            self._close_batch(self._last_mark + 1)
        while self._retry(self._ship_output):
            pass

    def _ship(self, record: Record) -> None:
        match record:
            case Points():
                self._points.append(record)
                self._step = record.step
            case Mark():
                self._close_batch(record.number)
            case Evaluated():
                self._evaluated.append(record)
            case Environment() | Params() | Checkpoint() | Artifact():
                self._retry(lambda: self._tell(record))
            case Progress():
                self._progress = record
            case Ended():
                self.ended = record
            case Gap():
                self._say_missing(record)

    def _say_missing(self, gap: Gap) -> None:
        problem = f"{gap.points} points of steps {gap.first_step} to {gap.last_step} are missing: a full disk"
        logger.error("%s: %s", self._reader.path, problem)
        if self._facts is not None:
            self._facts.set_aside(gap, problem)

    def _close_batch(self, mark: int) -> None:
        self._lost_marks.extend(range(self._last_mark + 1, mark))
        points, self._points, self._last_mark = self._points, [], mark
        self._retry(lambda: self._telemetry.ship_batch(self._number(mark), points))

    def _number(self, mark: int) -> int:
        """Of the batch that a mark closes, or that the last one before a damaged mark has closed."""
        return mark - bisect.bisect_right(self._lost_marks, mark)

    def _ship_output(self) -> bool:
        return self._telemetry.ship_output(self._output)

    def _tell(self, record: Environment | Params | Checkpoint | Artifact) -> None:
        if self._facts is None or self.is_fenced.is_set():
            return
        try:
            match record:
                case Environment():
                    self._facts.environment(record)
                case Params():
                    self._facts.params(record)
                case Artifact():
                    self._facts.artifact(record)
                case Checkpoint():
                    covers = self._telemetry.covers(self._number(record.mark))
                    self._facts.checkpoint(record, self._evaluated, covers)
                    self._evaluated = []
        except Fenced as fenced:
            logger.error("%s", fenced)
            self.is_fenced.set()

    def _on_bad(self, offset: int, frame: bytes, problem: str) -> None:
        logger.error("%s: record at %d left out: %s", self._reader.path, offset, problem)
        if self._facts is not None:
            self._facts.set_aside(frame, problem)
