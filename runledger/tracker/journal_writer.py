"""The writing side of a journal: whoever logs never waits, a thread of its own writes.

What is logged is checked where it is logged, so that nothing but the disk can fail later. The rest is
done five times a second for all that has come: a thread that wakes costs more than what it does.
It syncs each second and whenever it is asked to. A batch is closed when it is full, after two seconds,
and on `cut` (before a checkpoint). While the disk is full, what is logged is held in memory.
"""

from __future__ import annotations

import errno
import logging
import os
import queue
import threading
import time as clock
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import SupportsFloat, SupportsIndex, TypeAlias

from runledger.tracker.errors import BadInput, JournalBroken
from runledger.tracker.journal import (
    MAX_RECORD_BYTES,
    Mark,
    Opened,
    Points,
    Progress,
    Reader,
    Record,
    encode_frame,
)
from runledger.tracker.journal_frames import Frames
from runledger.tracker.points import RowPacking

logger = logging.getLogger(__name__)

BATCH_SECONDS = 2.0
SYNC_SECONDS = 1.0
FLUSH_SECONDS = 0.2
"""What a killed process has logged in its last moment is lost; the rest is, or will be, in the file."""
HELD_BYTES = 64 * 1024 * 1024
"""So much is held while the disk is full; points that come then are missing, and the journal says so."""
FULL = (errno.ENOSPC, errno.EDQUOT)
ALIVE_SECONDS = 0.2
"""How often whoever waits for the writer looks whether it lives."""
CLOSED = "closed"

_Row: TypeAlias = tuple[tuple[str, ...], bytes]
"""As `RowPacking` makes it."""


class _Request:
    """What the writer is asked to do at once, and the answer.

    Waiting holds nothing that answering needs, as an event's does: a signal handler may interrupt it and ask.
    """

    def __init__(self, *, cuts: bool = False, syncs: bool = False, is_last: bool = False) -> None:
        self.cuts = cuts
        self.syncs = syncs
        self.is_last = is_last
        self.marks = 0
        self.full: OSError | None = None
        self._is_open = threading.Lock()
        self._is_open.acquire()

    def answer(self, marks: int, full: OSError | None) -> None:
        self.marks, self.full = marks, full
        self._is_open.release()

    def wait(self, seconds: float) -> bool:
        """Whether it has been answered."""
        return self._is_open.acquire(timeout=seconds)


class Journal:
    """The writing side: one per attempt, in the process that trains.

    Every method may be called from any thread, and from a signal handler that has interrupted another
    call: none holds anything. What the interrupted one was about to write may then come later. Once the disk
    fails, after `close` and in a fork, each raises `JournalBroken`.
    """

    def __init__(
        self, path: Path, run_id: str, attempt: int, *, batch_seconds: float = BATCH_SECONDS
    ) -> None:
        self._batch_seconds = batch_seconds
        self._path = path
        self._process = os.getpid()
        self._problem: str | None = None
        self._packing = RowPacking()
        self._waiting: deque[_Row | bytes] = deque()
        """What was logged, in its order: rows, and frames of all else."""
        self._progress: Progress | None = None
        self._requests: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        self._frames = Frames()
        """The writer's own, as is all below."""
        self._held = memoryview(b"")
        """What a full disk did not take; before all that waits."""
        self._is_full = False
        self._unsynced_since: float | None = None
        try:
            self._reopen(run_id, attempt)
        except OSError as error:
            raise JournalBroken(str(path), str(error)) from error
        self._thread = threading.Thread(target=self._write_forever, name="journal", daemon=True)
        self._thread.start()

    def _reopen(self, run_id: str, attempt: int) -> None:
        """Go on after the last good record of a journal that is there already."""
        reader = Reader(self._path, without_points=True)
        closed_at = 0
        while entries := reader.read():
            for entry in entries:
                if isinstance(entry.record, Mark):
                    self._frames.marks, closed_at = entry.record.number, entry.end
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if reader.torn_bytes():
            os.ftruncate(self._file, reader.offset)
        if reader.offset == 0:
            self._frames.put(encode_frame(Opened(run_id=run_id, attempt=attempt)))
        if reader.points_end > closed_at:
            self._frames.mark()

    def points(self, step: SupportsIndex, time: SupportsIndex, values: Mapping[str, SupportsFloat]) -> None:
        """Log the values of one step; `time` is in µs since 1970. Raises `BadInput`, and then logs none."""
        row = self._packing.row(step, time, values)
        if self._problem is not None or os.getpid() != self._process:
            self._check()
        self._waiting.append(row)

    def append(self, record: Record) -> None:
        """Write `record` after all that was logged before; progress that does not move is left out.

        Raises `TypeError` for a record that holds what cannot be encoded, `BadInput` for one that no reader
        would take for its size, and then writes nothing.
        """
        if isinstance(record, Points):
            self.points(record.step, record.time, record.values)
            return
        self._check()
        if record == self._progress:
            return
        frame = encode_frame(record)
        if len(frame) > MAX_RECORD_BYTES:
            raise BadInput(type(record).__name__, f"{len(frame)} bytes are more than {MAX_RECORD_BYTES}")
        self._waiting.append(frame)
        if isinstance(record, Progress):
            self._progress = record

    def cut(self) -> int:
        """Close the open batch. Returns the number of the last mark, 0 if there is none yet."""
        return self._ask(_Request(cuts=True)).marks

    def sync(self) -> None:
        """Return once all that was appended is on disk. Raises `OSError` while that is full: it will come."""
        full = self._ask(_Request(syncs=True)).full
        if full is not None:
            raise OSError(full.errno, full.strerror, str(self._path))

    def close(self) -> None:
        """Close the open batch, write and sync everything, end the writer. Once more does nothing."""
        if self._problem == CLOSED:
            return
        self._check()
        self._problem = CLOSED
        self._requests.put(_Request(cuts=True, syncs=True, is_last=True))
        self._thread.join()
        if self._problem != CLOSED:
            raise JournalBroken(str(self._path), self._problem)

    def _ask(self, request: _Request) -> _Request:
        """All that was appended before is part of the answer."""
        self._check()
        self._requests.put(request)
        while not request.wait(ALIVE_SECONDS):
            if not self._thread.is_alive():
                self._check()
        return request

    def _check(self) -> None:
        if self._problem is not None:
            raise JournalBroken(str(self._path), self._problem)
        if os.getpid() != self._process:  # where no thread writes
            raise JournalBroken(str(self._path), f"belongs to process {self._process}; this is a fork of it")

    def _write_forever(self) -> None:
        problem = "the writer has died"
        try:
            while self._write_some():
                pass
            problem = CLOSED
        except OSError as error:
            problem = str(error)
        finally:
            self._problem = problem
            os.close(self._file)

    def _write_some(self) -> bool:
        """Write what waits, in one go, and keep the deadlines. False once closed."""
        request = self._next_request()
        self._frame_what_waits(cuts=request is not None and request.cuts)
        full = self._flush()
        if full is None and self._frames.is_missing:
            self._mark_gap()
            full = self._flush()
        self._sync(force=request is not None and request.syncs)
        if request is None:
            return True
        if request.is_last and full is not None:
            raise full
        request.answer(self._frames.marks, full)
        return not request.is_last

    def _next_request(self) -> _Request | None:
        try:
            return self._requests.get(timeout=FLUSH_SECONDS)
        except queue.Empty:
            return None

    def _frame_what_waits(self, *, cuts: bool) -> None:
        """All that waits becomes frames, cut into batches. A batch that is old enough is closed."""
        if self._is_full and len(self._held) + self._frames.waiting_bytes > HELD_BYTES:
            self._frames.stop_taking()
        for _ in range(len(self._waiting)):
            waiting = self._waiting.popleft()
            if isinstance(waiting, bytes):
                self._frames.put(waiting)
            else:
                self._frames.add(*waiting)
        opened_at = self._frames.opened_at
        if opened_at is not None and (cuts or clock.monotonic() - opened_at >= self._batch_seconds):
            self._frames.mark()
        self._frames.pack()

    def _mark_gap(self) -> None:
        """There is room again: what comes from now on is taken."""
        gap = self._frames.take_again()
        if gap is not None:
            logger.warning(
                "%s: %d points of steps %d to %d are missing: the disk was full",
                self._path,
                gap.points,
                gap.first_step,
                gap.last_step,
            )

    def _flush(self) -> OSError | None:
        """Write all frames. Returns why a full disk did not take all; what is left is held."""
        view = self._held or self._take_frames()
        try:
            while view:
                written = os.write(self._file, view)
                self._unsynced_since = self._unsynced_since or clock.monotonic()
                view = view[written:] or self._take_frames()
        except OSError as problem:
            if problem.errno not in FULL:
                raise
            self._held = view
            self._say_full(problem)
            return problem
        self._held = view
        if self._is_full:
            self._is_full = False
            logger.warning("%s: there is room again", self._path)
        return None

    def _take_frames(self) -> memoryview:
        frames = b"".join(self._frames.waiting)
        self._frames.waiting.clear()
        return memoryview(frames)

    def _say_full(self, problem: OSError) -> None:
        if not self._is_full:
            self._is_full = True
            logger.warning("%s: %s: what is logged is held in memory", self._path, problem.strerror)

    def _sync(self, *, force: bool) -> None:
        if self._unsynced_since is None:
            return
        if force or clock.monotonic() - self._unsynced_since >= SYNC_SECONDS:
            os.fsync(self._file)
            self._unsynced_since = None
