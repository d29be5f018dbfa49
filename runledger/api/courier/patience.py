"""How long a courier goes on: while its training lives for ever, and then while it still gets through."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

LOOK_SECONDS = 0.1


class Patience:
    """Watches, in a thread, whether the training lives.

    `is_alive` has to cost next to nothing. Without success for `flush_seconds` after its end, all is
    given up for now: `runledger sync` goes on from there.
    """

    def __init__(
        self,
        is_alive: Callable[[], bool],
        flush_seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_alive = is_alive
        self._flush_seconds = flush_seconds
        self._clock = clock
        self._moved_at = clock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="patience", daemon=True)
        self.has_died = threading.Event()
        """The training's process is gone."""
        self.is_over = threading.Event()

    def __enter__(self) -> Patience:
        self.look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def moved(self) -> None:
        """Something has got through."""
        self._moved_at = self._clock()

    def look(self) -> None:
        if not self.has_died.is_set():
            if self._is_alive():
                return
            self.moved()
            self.has_died.set()
        if self._clock() - self._moved_at >= self._flush_seconds:
            self.is_over.set()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self.look()
