"""Group commit: whoever finds nobody committing commits for all that wait, and answers them.

A caller that is alone commits in its own thread, past the queue. Those who come meanwhile queue, and the
first of them is woken to commit for all the others. Appends that nobody waits for (`submit`) are
committed by a thread of the writer's, or by a caller who finds them in the queue. Everything is committed in
the order of the calls. A caller may be interrupted anywhere, by Ctrl-C or by its framework: an append leaves
the queue only once it is answered, so the next one commits it. Not for signal handlers, nor for what is
called back when an append is answered: they might wait for the very thread that they stand on.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

from runledger.tracker.errors import StoreBusy, StoreUnavailable
from runledger.tracker.store.appends import Append

logger = logging.getLogger(__name__)

COMMIT_EVENTS = 5_000
COMMIT_BYTES = 8 * 1024 * 1024
QUEUE_BYTES = 64 * 1024 * 1024
QUEUE_APPENDS = 10_000
ROOM_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 1.0
"""Whoever waits looks so often whether the one who was to wake it was interrupted."""

Outcome = int | Exception
Commit = Callable[[Sequence[Append]], Sequence[Outcome]]
Given = TypeVar("Given")
Answer = TypeVar("Answer")


class _Bell:
    """Wakes one thread. A ring before the wait is not lost, and several are one."""

    def __init__(self) -> None:
        self._silent = threading.Lock()
        self._silent.acquire()

    def wait(self, seconds: float = LOOK_AGAIN_SECONDS) -> None:
        """Until it rings, at most that long; -1 for ever."""
        self._silent.acquire(timeout=seconds)

    def ring(self) -> None:
        try:
            self._silent.release()
        except RuntimeError:
            return  # it has rung already


class _Queued:
    """An append in the queue, and who is told what came of it."""

    def __init__(self, append: Append, bell: _Bell, future: Future[int] | None) -> None:
        self.append = append
        self.bell = bell
        self.future = future
        self.outcome: Outcome | None = None
        """None until it is answered; then it is taken out of the queue."""

    def begin(self) -> bool:
        """False where its future was cancelled. From here on it cannot be."""
        future = self.future
        if future is None or future.running():
            return True
        if not future.done() or future.cancelled():
            with suppress(RuntimeError):  # it was told already by one who was interrupted then
                if future.set_running_or_notify_cancel():
                    return True
        self.outcome = 0
        return False

    def answer(self, outcome: Outcome) -> None:
        if self.future is not None and not self.future.done():
            _resolve(self.future, outcome)
        self.outcome = outcome
        if self.future is None:
            self.bell.ring()


class Writer:
    """Calls `commit` from one thread at a time, and `at_end` after the last commit."""

    def __init__(self, target: str, commit: Commit, at_end: Callable[[], None]) -> None:
        self._target = target
        self._commit = commit
        self._at_end = at_end
        self._process = os.getpid()
        # Plain locks, for `with` on them leaves no gap where an interrupted thread would keep them.
        self._lock = threading.Lock()
        """Over the queue."""
        self._committing = threading.Lock()
        """Held by whoever commits. Only then does an append of another's leave the queue."""
        self._room = threading.Condition(self._lock)
        self._queue: deque[_Queued] = deque()
        self._queued_bytes = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        self._thread_bell = _Bell()

    def write(self, append: Append) -> int:
        """Commit it, alone or with others; the position of its last event.

        Raises what `commit` has answered, and `StoreUnavailable` as `submit` does.
        """
        outcome = self.alone(self._commit_one, append)
        if outcome is None:
            outcome = self._write_in_turn(append)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def alone(self, call: Callable[[Given], Answer], given: Given) -> Answer | None:
        """`call(given)` as if it were a commit, past the queue; None where others commit or wait.

        So a read may use the connection of the commits: one that is kept apart finds its pages outdated.
        """
        self.check_process()
        if self._queue or self._committing.locked():
            return None
        try:
            with self._committing:
                return None if self._queue or self._closed else call(given)
        finally:
            if self._queue:
                self._wake_next()

    def _write_in_turn(self, append: Append) -> Outcome:
        mine = self._enter(append, _Bell(), None, ROOM_SECONDS)
        try:
            while mine.outcome is None:
                self._lead_or_wait(mine)
        except BaseException:
            self._leave(mine)
            raise
        return mine.outcome

    def submit(self, append: Append, room_seconds: float | None = None) -> Future[int]:
        """The same, answered later.

        Raises `StoreBusy` without room in time, and `StoreUnavailable` after `close`.
        """
        self.check_process()
        future: Future[int] = Future()
        wait_seconds = ROOM_SECONDS if room_seconds is None else room_seconds
        self._enter(append, self._thread_bell, future, wait_seconds)
        self._thread_bell.ring()
        return future

    def close(self) -> None:
        """Commit what is queued, then let go of everything. Once more, where it was interrupted in that.

        Nothing in a process that was forked off: locks and connections are the other's.
        """
        if not self.is_own:
            return
        with self._lock:
            self._closed = True
            self._room.notify_all()
        with self._committing:
            while self._queue:
                self._commit_next()
            self._at_end()
        if self._thread is not None:
            self._thread_bell.ring()
            self._thread.join()

    @property
    def is_own(self) -> bool:
        """False in a process that was forked off."""
        return os.getpid() == self._process

    def check_process(self) -> None:
        """Raises `StoreUnavailable` in a process that was forked off."""
        if not self.is_own:
            raise StoreUnavailable(self._target, "opened before a fork: open it again in the new process")

    def _enter(self, append: Append, bell: _Bell, future: Future[int] | None, room_seconds: float) -> _Queued:
        queued = _Queued(append, bell, future)
        with self._lock:
            if not self._has_room():
                self._wait_for_room(room_seconds)
            if self._closed:
                raise StoreUnavailable(self._target, "the log was closed")
            if future is not None and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
                self._thread.start()
            self._queue.append(queued)
            self._queued_bytes += append.size_bytes
        return queued

    def _wait_for_room(self, seconds: float) -> None:
        if not self._room.wait_for(lambda: self._closed or self._has_room(), seconds):
            raise StoreBusy(self._target, "too many appends wait for it")

    def _has_room(self) -> bool:
        return self._queued_bytes < QUEUE_BYTES and len(self._queue) < QUEUE_APPENDS

    def _leave(self, mine: _Queued) -> None:
        """Interrupted before its turn: it is not appended, unless the commit has happened already."""
        with self._lock:
            if mine in self._queue:
                self._queue.remove(mine)
                self._queued_bytes -= mine.append.size_bytes
        self._wake_next()

    def _run(self) -> None:
        """Commits what was submitted, where no caller is there to do it."""
        while not self._closed:
            self._thread_bell.wait(LOOK_AGAIN_SECONDS if self._queue else -1)
            if self._queue:
                self._lead_or_wait(None)

    def _lead_or_wait(self, mine: _Queued | None) -> None:
        """Commit until `mine` is among it, then leave the rest to the next; or wait for who commits now."""
        if self._committing.locked():
            if mine is not None:
                mine.bell.wait()
            return
        with self._committing:
            if mine is None:
                self._commit_next()
            while mine is not None and mine.outcome is None:
                self._commit_next()
        self._wake_next()

    def _wake_next(self) -> None:
        """After letting go, so that whoever came meanwhile is seen: nobody waits while nobody commits."""
        with self._lock:
            first = self._queue[0] if self._queue else None
        if first is not None:
            first.bell.ring()

    def _commit_next(self) -> None:
        """The next group, in the order of the queue."""
        group = self._take()
        outcomes = self._commit_safely([queued.append for queued in group]) if group else []
        for queued, outcome in zip(group, outcomes, strict=True):
            queued.answer(outcome)
        self._drop_answered()

    def _take(self) -> list[_Queued]:
        """All that waits and was not cancelled, up to the size of one commit."""
        group: list[_Queued] = []
        event_count = size_bytes = 0
        with self._lock:
            for queued in self._queue:
                if queued.outcome is not None or not queued.begin():
                    continue
                group.append(queued)
                event_count += queued.append.event_count
                size_bytes += queued.append.size_bytes
                if event_count >= COMMIT_EVENTS or size_bytes >= COMMIT_BYTES:
                    break
        return group

    def _drop_answered(self) -> None:
        with self._lock:
            while self._queue and self._queue[0].outcome is not None:
                self._queued_bytes -= self._queue.popleft().append.size_bytes
            self._room.notify_all()

    def _commit_one(self, append: Append) -> Outcome:
        return self._commit_safely((append,))[0]

    def _commit_safely(self, appends: Sequence[Append]) -> Sequence[Outcome]:
        """Alone where they fail together: nobody pays for another's, and what is there is found again."""
        try:
            return self._commit(appends)
        except Exception as problem:
            logger.exception("a commit of %d appends failed", len(appends))
            if len(appends) == 1:
                return [problem]
        return [self._commit_one(append) for append in appends]


def _resolve(future: Future[int], outcome: Outcome) -> None:
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
