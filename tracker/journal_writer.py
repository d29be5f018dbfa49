"""The writing side of a journal: whoever logs never waits, a thread of its own writes.

The thread flushes continuously, syncs each second and whenever it is asked to, and closes a batch
with a mark at 1,000 points, at 32 KB, after two seconds, and on `cut` (before a checkpoint).
"""

from __future__ import annotations

import os
import queue
import threading
import time as clock
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from tracker.errors import JournalBroken
from tracker.events.telemetry import MAX_BYTES, MAX_POINTS
from tracker.journal import Mark, Opened, Points, Progress, Reader, Record, encode_frame

BATCH_SECONDS = 2.0
SYNC_SECONDS = 1.0
POINT_BYTES = 26
KEY_BYTES = 5
"""MessagePack's own, for each name of a column."""


class _Batch:
    """The points since the last mark, counted."""

    def __init__(self) -> None:
        self.points = 0
        self.opened_at = 0.0
        self._bytes = 0
        self._keys: set[str] = set()

    def _cost(self, key: str) -> int:
        return POINT_BYTES + (0 if key in self._keys else len(key.encode()) + KEY_BYTES)

    def admits(self, key: str) -> bool:
        return self.points < MAX_POINTS and (not self.points or self._bytes + self._cost(key) <= MAX_BYTES)

    def add(self, key: str) -> None:
        if not self.points:
            self.opened_at = clock.monotonic()
        self._bytes += self._cost(key)
        self._keys.add(key)
        self.points += 1


class _Request(msgspec.Struct):
    """Asks the writer for a mark or a sync and waits for its answer."""

    kind: Literal["cut", "sync", "close"]
    done: threading.Event
    number: int = 0


class Journal:
    """The writing side: one per attempt, in the process that trains.

    Every method may be called from any thread. Once the disk refuses, each raises `JournalBroken`.
    """

    def __init__(
        self, path: Path, run_id: str, attempt: int, *, batch_seconds: float = BATCH_SECONDS
    ) -> None:
        self._batch_seconds = batch_seconds
        self._path = path
        self._queue: queue.SimpleQueue[Record | _Request] = queue.SimpleQueue()
        self._error: OSError | None = None
        self._buffer = bytearray()
        self._batch = _Batch()
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
            self._put(Opened(run_id=run_id, attempt=attempt))
        if is_open:
            self._mark()

    def points(self, step: int, time: int, values: Mapping[str, float]) -> None:
        """Log the values of one step. `values` must not be changed afterwards."""
        self.append(Points(step=step, time=time, values=dict(values)))

    def append(self, record: Record) -> None:
        """Write `record` after all that was appended before; returns at once."""
        self._check()
        self._queue.put(record)

    def cut(self) -> int:
        """Close the open batch. Returns the number of the last mark, 0 if there is none yet."""
        return self._ask("cut")

    def sync(self) -> None:
        """Return once all that was appended is on disk."""
        self._ask("sync")

    def close(self) -> None:
        """Close the open batch, write and sync everything, end the writer."""
        self._ask("close")
        self._thread.join()

    def _ask(self, kind: Literal["cut", "sync", "close"]) -> int:
        self._check()
        request = _Request(kind, threading.Event())
        self._queue.put(request)
        while not request.done.wait(0.2):
            self._check()
        self._check()
        return request.number

    def _check(self) -> None:
        if self._error is not None:
            raise JournalBroken(str(self._path), str(self._error)) from self._error

    def _write_forever(self) -> None:
        try:
            while self._write_some():
                pass
        except OSError as error:
            self._error = error
        finally:
            os.close(self._file)

    def _write_some(self) -> bool:
        """Take what waits, write it in one go, keep the deadlines. False once closed."""
        requests = []
        item = self._next(self._patience())
        while item is not None:
            if isinstance(item, _Request):
                requests.append(item)
                break
            self._take(item)
            item = self._next(0) if len(self._buffer) < 1 << 18 else None
        self._keep_deadlines(any(request.kind != "sync" for request in requests))
        self._flush()
        self._sync(force=any(request.kind != "cut" for request in requests))
        for request in requests:
            request.number = self._marks
            request.done.set()
        return not any(request.kind == "close" for request in requests)

    def _next(self, timeout: float) -> Record | _Request | None:
        try:
            return self._queue.get(timeout=timeout) if timeout else self._queue.get_nowait()
        except queue.Empty:
            return None

    def _patience(self) -> float:
        now = clock.monotonic()
        until = [now + 60.0]
        if self._batch.points:
            until.append(self._batch.opened_at + self._batch_seconds)
        if self._unsynced_since is not None:
            until.append(self._unsynced_since + SYNC_SECONDS)
        return max(min(until) - now, 0.001)

    def _take(self, record: Record) -> None:
        if isinstance(record, Points):
            self._take_points(record)
        elif record != self._progress:
            self._put(record)
        if isinstance(record, Progress):
            self._progress = record

    def _take_points(self, record: Points) -> None:
        part: dict[str, float] = {}
        for key, value in record.values.items():
            if not self._batch.admits(key):
                self._put_points(record, part)
                self._mark()
                part = {}
            self._batch.add(key)
            part[key] = value
        self._put_points(record, part)

    def _put_points(self, record: Points, values: dict[str, float]) -> None:
        if values:
            self._put(Points(step=record.step, time=record.time, values=values))

    def _mark(self) -> None:
        self._marks += 1
        self._put(Mark(number=self._marks))
        self._batch = _Batch()

    def _put(self, record: Record) -> None:
        self._buffer += encode_frame(record)

    def _keep_deadlines(self, cut: bool) -> None:
        due = clock.monotonic() - self._batch.opened_at >= self._batch_seconds
        if self._batch.points and (cut or due):
            self._mark()

    def _flush(self) -> None:
        view = memoryview(bytes(self._buffer))
        self._buffer.clear()
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
