"""What an attempt waits for before its child exists, given up where the attempt has to stop meanwhile.

It happens in a thread of its own, so that not even a call that hangs holds up a cancellation.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from runledger.tracker.errors import GaveUp
from runledger.trainer.conclusion import Cause
from runledger.trainer.errors import Interrupted
from runledger.trainer.retrying import Retry

LOOK_SECONDS = 0.05

T = TypeVar("T")


class Interruptible(Generic[T]):
    """Repeats `action(on_movement)` until it works, for as long as `reason(moved_at)` gives none to stop.

    An outage is no hang: only a call that is silent stands still, not the time between two calls.
    """

    def __init__(
        self,
        action: Callable[[Callable[[], None]], T],
        reason: Callable[[float], Cause | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._action = action
        self._reason = reason
        self._clock = clock
        self._moved_at: float | None = None
        """Within a call; None between two."""
        self._given_up = threading.Event()
        self._result: list[T] = []
        self._error: list[BaseException] = []

    def run(self) -> T:
        """What the action gives or raises. Raises `Interrupted`."""
        thread = threading.Thread(target=self._work, name="preparation", daemon=True)
        thread.start()
        while thread.is_alive():
            moved_at = self._moved_at
            cause = self._reason(self._clock() if moved_at is None else moved_at)
            if cause is not None:
                self._given_up.set()
                raise Interrupted(cause)
            thread.join(LOOK_SECONDS)
        if self._error:
            raise self._error[0]
        return self._result[0]

    def _work(self) -> None:
        try:
            self._result.append(Retry(self._given_up)(self._try))
        except BaseException as error:  # noqa: BLE001 — raised again where it is waited for, if it still is
            self._error.append(error)

    def _try(self) -> T:
        self._move()
        try:
            return self._action(self._move)
        finally:
            self._moved_at = None

    def _move(self) -> None:
        """Raises `GaveUp` where nobody waits any more."""
        if self._given_up.is_set():
            raise GaveUp
        self._moved_at = self._clock()
