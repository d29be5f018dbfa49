"""Tries again for as long as it takes: an outage delays facts, it never loses them."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import TypeVar

from tracker.errors import StoreUnavailable, WrongExpectedVersion
from trainer import prometheus
from trainer.errors import GaveUp

T = TypeVar("T")

logger = logging.getLogger(__name__)

FIRST_SECONDS = 0.1
LAST_SECONDS = 10.0


class Retry:
    """Calls until it works; `stop` ends the wait between two calls, and then the trying."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def __call__(self, action: Callable[[], T]) -> T:
        """Retries what an outage raises, and a conflict; passes on the rest. Raises `GaveUp`."""
        wait = FIRST_SECONDS
        while True:
            try:
                return action()
            except (StoreUnavailable, WrongExpectedVersion) as error:
                prometheus.RETRIES.inc()
                logger.warning("trying again in %.1f s: %s", wait, error)
            if self._stop.wait(wait * random.uniform(0.5, 1.0)):
                raise GaveUp
            wait = min(wait * 2, LAST_SECONDS)
