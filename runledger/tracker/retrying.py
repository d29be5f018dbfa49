"""Tries again for as long as it takes: an outage delays facts, it never loses them."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import TypeVar

from runledger.tracker.errors import GaveUp

T = TypeVar("T")

logger = logging.getLogger(__name__)

FIRST_SECONDS = 0.1
LAST_SECONDS = 10.0


def _no_word(error: Exception) -> None:
    """An error that says nothing of when to come again."""


def _nothing() -> None:
    """Nobody asks."""


class Retry:
    """Calls until it works; `stop` ends the wait between two calls, and then the trying.

    `on_failure` is told of every error of the kinds `passing`, and may say how many seconds to wait at
    least before the next call; `on_success` hears of every call that worked.
    """

    def __init__(
        self,
        stop: threading.Event,
        *passing: type[Exception],
        on_failure: Callable[[Exception], float | None] = _no_word,
        on_success: Callable[[], None] = _nothing,
    ) -> None:
        self._stop = stop
        self._passing = passing
        self._on_failure = on_failure
        self._on_success = on_success

    def __call__(self, action: Callable[[], T]) -> T:
        """Retries the passing errors, and lets the others through. Raises `GaveUp`."""
        wait = FIRST_SECONDS
        while True:
            try:
                found = action()
            except self._passing as error:
                least = self._on_failure(error) or 0.0
                logger.warning("trying again in %.1f s: %s", max(wait, least), error)
            else:
                self._on_success()
                return found
            if self._stop.wait(max(wait * random.uniform(0.5, 1.0), least)):
                raise GaveUp
            wait = min(wait * 2, LAST_SECONDS)
