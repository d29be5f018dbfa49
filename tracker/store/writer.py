"""Group commit: one thread that puts whatever waits into one commit, and answers each caller.

What is queued is bounded; a caller waits a bounded time for room. The thread begins with the first
append, outlives whatever a commit raises, and ends with `close`, after what was queued.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from tracker.errors import StoreUnavailable
from tracker.store.appends import Append

logger = logging.getLogger(__name__)

COMMIT_EVENTS = 5_000
COMMIT_BYTES = 8 * 1024 * 1024
QUEUE_BYTES = 64 * 1024 * 1024
QUEUE_APPENDS = 10_000
ROOM_SECONDS = 10.0

Commit = Callable[[Sequence[Append]], Sequence[int | Exception]]


class Writer:
    """Calls `commit` from one thread, and `at_end` from the same when it ends."""

    def __init__(self, target: str, commit: Commit, at_end: Callable[[], None]) -> None:
        self._target = target
        self._commit = commit
        self._at_end = at_end
        self._changed = threading.Condition()
        self._queue: deque[tuple[Append, Future[int]]] = deque()
        self._queued_bytes = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    def submit(self, append: Append) -> Future[int]:
        """Raises `StoreUnavailable` where there is no room in time, or after `close`."""
        future: Future[int] = Future()
        with self._changed:
            if not self._changed.wait_for(lambda: self._closed or self._has_room(), ROOM_SECONDS):
                raise StoreUnavailable(self._target, "too many appends wait for it")
            if self._closed:
                raise StoreUnavailable(self._target, "the log was closed")
            self._queue.append((append, future))
            self._queued_bytes += append.size_bytes
            self._start()
            self._changed.notify_all()
        return future

    def close(self) -> None:
        """Commit what is queued, then end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _has_room(self) -> bool:
        return self._queued_bytes < QUEUE_BYTES and len(self._queue) < QUEUE_APPENDS

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while self._wait():
                self._answer(self._take())
        finally:
            self._at_end()

    def _wait(self) -> bool:
        """For something to commit; False once there will be nothing any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            return bool(self._queue)

    def _take(self) -> list[tuple[Append, Future[int]]]:
        """All that waits and was not cancelled, up to the size of one commit."""
        batch: list[tuple[Append, Future[int]]] = []
        event_count = size_bytes = 0
        with self._changed:
            while self._queue and event_count < COMMIT_EVENTS and size_bytes < COMMIT_BYTES:
                append, future = self._queue.popleft()
                self._queued_bytes -= append.size_bytes
                if future.set_running_or_notify_cancel():
                    batch.append((append, future))
                    event_count += append.event_count
                    size_bytes += append.size_bytes
            self._changed.notify_all()
        return batch

    def _answer(self, batch: Sequence[tuple[Append, Future[int]]]) -> None:
        outcomes = self._commit_safely([append for append, _ in batch]) if batch else []
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def _commit_safely(self, appends: Sequence[Append]) -> Sequence[int | Exception]:
        try:
            return self._commit(appends)
        except Exception as problem:
            logger.exception("a commit of %d appends failed", len(appends))
            return [problem] * len(appends)
