"""What a worker tries again: whatever a database that is out of reach raises, and a conflict."""

from __future__ import annotations

import threading

from runledger.tracker import retrying
from runledger.tracker.errors import StoreUnavailable, WrongExpectedVersion
from runledger.trainer import prometheus


class Retry(retrying.Retry):
    """Each failure is counted."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__(stop, StoreUnavailable, WrongExpectedVersion, on_failure=_count)


def _count(error: Exception) -> None:
    prometheus.RETRIES.inc()
