"""Waiting for the log to grow, at next to no cost, for those who read on from a position.

Polling is the truth: whatever else may wake a reader is only a hint. While nothing comes no more than the
head is asked for, which costs a hundredth of a page.
"""

from __future__ import annotations

import math
import threading
import time

from runledger.tracker.store.log import Log


def await_growth(
    log: Log, head: int, stop: threading.Event, *, poll_seconds: float, longest_seconds: float = math.inf
) -> None:
    """Until the log stands beyond `head`, `stop` is set or the time is up. Raises `StoreUnavailable`."""
    deadline = time.monotonic() + longest_seconds
    while not stop.wait(poll_seconds):
        if log.head() > head or time.monotonic() >= deadline:
            return
