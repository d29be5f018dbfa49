"""The writing side of a journal: whoever logs never waits, a thread of its own writes.

What is logged is checked where it is logged, so that nothing but the disk can fail later. The rest is
done five times a second for all that has come: a thread that wakes costs more than what it does.
It syncs each second and whenever it is asked to. A mark closes the batch at 1,000 points, at 32
KB, after two seconds, and on `cut` (before a checkpoint).
"""

from __future__ import annotations

import os
import queue
import threading
import time as clock
from array import array
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import SupportsFloat, SupportsIndex, TypeAlias, TypeVar

from runledger.tracker.errors import JournalBroken
from runledger.tracker.events.telemetry import MAX_BYTES, MAX_POINTS
from runledger.tracker.journal import (
    Mark,
    Opened,
    Points,
    Progress,
    Reader,
    Record,
    Rows,
    encode_frame,
    little_endian,
)
from runledger.tracker.points import Names, check_int64, numbers_of

BATCH_SECONDS = 2.0
SYNC_SECONDS = 1.0
FLUSH_SECONDS = 0.2
"""What a killed process has logged in its last moment is lost; the rest is, or will be, in the file."""
POINT_BYTES = 26
KEY_BYTES = 5
"""MessagePack's own, for each name of a column."""
CLOSED = "closed"
T = TypeVar("T")

_Step: TypeAlias = tuple[int, int, tuple[str, ...], bytes]
"""Step, time, names, and numbers as raw little-endian float64."""
_Row: TypeAlias = tuple[int, int, bytes]
"""Step, time and numbers."""


class _Batch:
    """The points since the last mark, counted."""

    def __init__(self) -> None:
        self.points = 0
        self.opened_at = 0.0
        self._bytes = 0
        self._keys: set[str] = set()
        self._last: tuple[str, ...] | None = None

    def take(self, names: tuple[str, ...]) -> int:
        """How many points still fit, from the first: as a rule all. An empty batch takes at least one."""
        if self.points + len(names) > MAX_POINTS:
            return self._take_first(names)
        new = () if names is self._last else set(names) - self._keys
        size = self._bytes + POINT_BYTES * len(names) + sum(map(_key_bytes, new))
        if size > MAX_BYTES:
            return self._take_first(names)
        if not self.points:
            self.opened_at = clock.monotonic()
        self._bytes, self._last = size, names
        self._keys.update(new)
        self.points += len(names)
        return len(names)

    def _take_first(self, names: tuple[str, ...]) -> int:
        fitting, size = 0, self._bytes
        for name in names:
            size += POINT_BYTES + (0 if name in self._keys else _key_bytes(name))
            if size > MAX_BYTES or self.points + fitting == MAX_POINTS:
                break
            fitting += 1
        return self.take(names[:fitting]) if fitting else 0


def _key_bytes(key: str) -> int:
    return len(key.encode()) + KEY_BYTES


class _Request:
    """Asks the writer to sync now, and waits for that."""

    def __init__(self, *, is_last: bool = False) -> None:
        self.is_last = is_last
        self.done = threading.Event()


class Journal:
    """The writing side: one per attempt, in the process that trains.

    Every method may be called from any thread, and from a signal handler that has interrupted another
    call; what that one was about to write may then come later. Once the disk refuses, after `close` and
    in a fork, each raises `JournalBroken`.
    """

    def __init__(
        self, path: Path, run_id: str, attempt: int, *, batch_seconds: float = BATCH_SECONDS
    ) -> None:
        self._batch_seconds = batch_seconds
        self._path = path
        self._process = os.getpid()
        self._problem: str | None = None
        self._names = Names()
        self._waiting: deque[_Step | bytes] = deque()
        """What was logged, in its order: steps, and frames of all else."""
        self._frames: deque[bytes] = deque()
        """What is to be written, cut into batches."""
        self._lock = threading.RLock()
        """Held while what waits becomes frames. The writer never waits for it."""
        self._requests: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        self._batch = _Batch()
        self._row_names: tuple[str, ...] = ()
        self._rows: list[_Row] = []
        """Of the open batch, those not packed yet: each has these names."""
        self._marks = 0
        self._progress: Progress | None = None
        self._unsynced_since: float | None = None
        try:
            self._reopen(run_id, attempt)
        except OSError as error:
            raise JournalBroken(str(path), str(error)) from error
        self._thread = threading.Thread(target=self._write_forever, name="journal", daemon=True)
        self._thread.start()

    def _reopen(self, run_id: str, attempt: int) -> None:
        """Go on after the last good record of a journal that is there already."""
        reader = Reader(self._path)
        is_open = False
        while entries := reader.read():
            for entry in entries:
                if isinstance(entry.record, Mark):
                    self._marks, is_open = entry.record.number, False
                is_open = is_open or isinstance(entry.record, Points)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if reader.torn_bytes():
            os.ftruncate(self._file, reader.offset)
        if reader.offset == 0:
            self._frames.append(encode_frame(Opened(run_id=run_id, attempt=attempt)))
        if is_open:
            self._mark()

    def points(self, step: SupportsIndex, time: SupportsIndex, values: Mapping[str, SupportsFloat]) -> None:
        """Log the values of one step; `time` is in µs since 1970. Raises `BadInput`, and then logs none."""
        names, numbers = self._names.of(values), numbers_of(values)
        logged = (check_int64("step", step), check_int64("time", time), names, numbers)
        self._check()
        self._waiting.append(logged)

    def append(self, record: Record) -> None:
        """Write `record` after all that was logged before; progress that does not move is left out.

        Raises `TypeError` for a record that holds what cannot be encoded, and then writes nothing.
        """
        if isinstance(record, Points):
            self.points(record.step, record.time, record.values)
            return
        self._check()
        if record == self._progress:
            return
        self._waiting.append(encode_frame(record))
        if isinstance(record, Progress):
            self._progress = record

    def cut(self) -> int:
        """Close the open batch. Returns the number of the last mark, 0 if there is none yet."""
        self._check()
        with self._lock:
            self._frame_all()
            if self._batch.points:
                self._mark()
            return self._marks

    def sync(self) -> None:
        """Return once all that was appended is on disk."""
        self._check()
        with self._lock:
            self._frame_all()
        request = _Request()
        self._requests.put(request)
        while not request.done.wait(0.2):
            if not self._thread.is_alive():
                self._check()

    def close(self) -> None:
        """Close the open batch, write and sync everything, end the writer. Once more does nothing."""
        if self._problem == CLOSED:
            return
        self.cut()
        self._problem = CLOSED
        self._requests.put(_Request(is_last=True))
        self._thread.join()
        if self._problem != CLOSED:
            raise JournalBroken(str(self._path), self._problem)

    def _check(self) -> None:
        if self._problem is not None:
            raise JournalBroken(str(self._path), self._problem)
        if os.getpid() != self._process:  # where no thread writes, and nobody may ever release the lock
            raise JournalBroken(str(self._path), f"belongs to process {self._process}; this is a fork of it")

    def _frame_all(self) -> None:
        """All that waits becomes frames, cut into batches."""
        while (waiting := _pop(self._waiting)) is not None:
            if isinstance(waiting, bytes):
                self._put(waiting)
            else:
                self._add(waiting)
        self._pack()

    def _add(self, logged: _Step) -> None:
        step, time, names, numbers = logged
        while names:
            taken = self._batch.take(names)
            if taken:
                self._add_row(names[:taken], (step, time, numbers[: 8 * taken]))
            if taken < len(names):
                self._mark()
            names, numbers = names[taken:], numbers[8 * taken :]

    def _add_row(self, names: tuple[str, ...], row: _Row) -> None:
        if names != self._row_names:
            self._pack()
            self._row_names = names
        self._rows.append(row)

    def _pack(self) -> None:
        """The rows that share their names become one frame."""
        rows, self._rows = self._rows, []
        if not rows:
            return
        packed = Rows(
            names=self._row_names,
            steps=little_endian(array("q", [step for step, _, _ in rows])),
            times=little_endian(array("q", [time for _, time, _ in rows])),
            values=b"".join([numbers for _, _, numbers in rows]),
        )
        self._frames.append(encode_frame(packed))

    def _mark(self) -> None:
        number = self._marks + 1
        self._put(encode_frame(Mark(number=number)))
        self._batch, self._marks = _Batch(), number

    def _put(self, frame: bytes) -> None:
        self._pack()
        self._frames.append(frame)

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
        self._frame_what_waits()
        self._flush()
        self._sync(force=request is not None)
        if request is None:
            return True
        request.done.set()
        return not request.is_last

    def _next_request(self) -> _Request | None:
        try:
            return self._requests.get(timeout=FLUSH_SECONDS)
        except queue.Empty:
            return None

    def _frame_what_waits(self) -> None:
        """And close a batch that is old enough. Left to the next round where somebody does it just now."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._frame_all()
            if self._batch.points and clock.monotonic() - self._batch.opened_at >= self._batch_seconds:
                self._mark()
        finally:
            self._lock.release()

    def _flush(self) -> None:
        view = memoryview(b"".join(iter(lambda: _pop(self._frames), None)))
        if view and self._unsynced_since is None:
            self._unsynced_since = clock.monotonic()
        while view:
            view = view[os.write(self._file, view) :]

    def _sync(self, *, force: bool) -> None:
        if self._unsynced_since is None:
            return
        if force or clock.monotonic() - self._unsynced_since >= SYNC_SECONDS:
            os.fsync(self._file)
            self._unsynced_since = None


def _pop(waiting: deque[T]) -> T | None:
    """Also while others take from it."""
    try:
        return waiting.popleft()
    except IndexError:
        return None
