"""Watches a child until it has ended, and stops it for a reason: flag, then SIGTERM, then SIGKILL."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from runledger.tracker.spec import Limits
from runledger.trainer.child import Child
from runledger.trainer.conclusion import Cause
from runledger.trainer.heartbeat import Heartbeat
from runledger.trainer.progress import ProgressWatch
from runledger.trainer.settings import TrainerSettings

logger = logging.getLogger(__name__)

WATCH_SECONDS = 0.05


class Reasons:
    """Why an attempt has to stop, if it has to."""

    def __init__(
        self,
        heartbeat: Heartbeat,
        preempted: threading.Event,
        *,
        limits: Limits,
        started_at: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._heartbeat = heartbeat
        self._preempted = preempted
        self._limits = limits
        self._started_at = started_at
        self._clock = clock

    def look(self, moved_at: float) -> Cause | None:
        """`moved_at` is when it has come further last, by the clock."""
        now = self._clock()
        if self._heartbeat.stop_requested.is_set():
            return "request"
        if self._preempted.is_set():
            return "preemption"
        if self._limits.wall_seconds is not None and now - self._started_at > self._limits.wall_seconds:
            return "timed-out"
        if now - moved_at > self._limits.no_progress_seconds:
            return "no-progress"
        return None


class Watch:
    """Ends the child at once where its lease is lost."""

    def __init__(
        self,
        child: Child,
        progress: ProgressWatch,
        heartbeat: Heartbeat,
        reasons: Reasons,
        *,
        settings: TrainerSettings,
        on_first_step: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._child = child
        self._progress = progress
        self._heartbeat = heartbeat
        self._reasons = reasons
        self._settings = settings
        self._on_first_step = on_first_step
        self._has_stepped = False
        self._clock = clock
        self._next_at = 0.0
        self.is_terminated = False
        """SIGTERM was sent."""
        self.cause: Cause | None = None
        """Why the child was stopped."""

    def until_end(self) -> int:
        """The exit status; negative: the signal."""
        while (status := self._child.poll()) is None:
            self.look()
            time.sleep(WATCH_SECONDS)
        self._progress.look()
        return status

    def look(self) -> None:
        """Once around: take in the progress, and press on where the child has to end."""
        self._progress.look()
        if self._progress.step is not None and not self._has_stepped:
            self._has_stepped = True
            self._on_first_step()
        if self._heartbeat.is_lost.is_set():
            self._child.kill()
        elif self.cause is not None:
            self._press_on()
        else:
            self.cause = self._reasons.look(self._progress.moved_at)
            if self.cause is not None:
                logger.info("process %d is stopped: %s", self._child.pid, self.cause)
                self._begin(self.cause)

    def _begin(self, cause: Cause) -> None:
        """Whoever does not move will not reach a step boundary either."""
        if cause == "no-progress":
            self._terminate()
        else:
            self._child.ask_to_stop()
            self._next_at = self._clock() + self._settings.grace_seconds

    def _press_on(self) -> None:
        if self._clock() < self._next_at:
            return
        if self.is_terminated:
            self._child.kill()
        else:
            self._terminate()

    def _terminate(self) -> None:
        self._child.terminate()
        self.is_terminated = True
        self._next_at = self._clock() + self._settings.terminate_seconds
