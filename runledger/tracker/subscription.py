"""Reading on from a position, for as long as the process lives.

Polling is the truth: whatever else may wake a reader is only a hint. A database that is away for a
while means waiting, not an end.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator

from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.log import PAGE_EVENTS, Log, Page

logger = logging.getLogger(__name__)

BACK_OFF_SECONDS = 0.2
LONGEST_BACK_OFF_SECONDS = 10.0


class Subscription:
    """`after` moves on with each page that was taken; a new one begins where a cursor stands."""

    def __init__(
        self,
        log: Log,
        after: int,
        kinds: Collection[str] | None = None,
        poll_seconds: float = 0.05,
        limit: int = PAGE_EVENTS,
    ) -> None:
        self.after = after
        self._log = log
        self._kinds = kinds
        self._poll_seconds = poll_seconds
        self._limit = limit

    def pages(self, stop: threading.Event) -> Iterator[Page]:
        """Pages until `stop` is set, also empty ones that have moved `scanned`."""
        back_off = BACK_OFF_SECONDS
        while not stop.is_set():
            try:
                page = self._log.tail(self.after, limit=self._limit, kinds=self._kinds)
            except StoreUnavailable as problem:
                logger.warning("waiting for the log: %s", problem)
                stop.wait(back_off)
                back_off = min(2 * back_off, LONGEST_BACK_OFF_SECONDS)
                continue
            back_off = BACK_OFF_SECONDS
            if page.scanned > self.after:
                self.after = page.scanned
                yield page
            else:
                stop.wait(self._poll_seconds)
