"""The threads of a worker that do one thing again and again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.hints import Hints

logger = logging.getLogger(__name__)

LEAST_SECONDS, MOST_SECONDS = 0.005, 0.1
"""Between a hint and the look at the log that follows it: the first, and where hints come all the time."""


class Loop(threading.Thread):
    """Does something again and again, at once where there was something to do; survives what it raises."""

    def __init__(
        self,
        name: str,
        seconds: float,
        step: Callable[[], bool | None],
        stop: threading.Event,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """`wait` is how it waits between two steps, perhaps for less than it is told to."""
        super().__init__(name=name, daemon=True)
        self._seconds = seconds
        self._step = step
        self._stop_asked = stop
        self._wait = wait or stop.wait

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                if not self._step():
                    self._wait(self._seconds)
            except StoreUnavailable as error:
                logger.warning("%s waits: %s", self.name, error)
                self._stop_asked.wait(max(self._seconds, 1.0))
            except Exception:  # a broker that is away, say: recorded, and tried again
                logger.exception("%s", self.name)
                self._stop_asked.wait(max(self._seconds, 1.0))


class Prompt:
    """Waits for a hint: less and less eagerly while one follows another, at once after a quiet time.

    Whoever appends telemetry gives hints all the time, and none of them is for the relay.
    """

    def __init__(self, hints: Hints) -> None:
        self._hints = hints
        self._least_seconds = 0.0

    def wait(self, seconds: float) -> None:
        time.sleep(self._least_seconds)
        if self._hints.wait(seconds):
            self._least_seconds = min(max(2 * self._least_seconds, LEAST_SECONDS), MOST_SECONDS)
        else:
            self._least_seconds = 0.0
