"""What a worker tries again: whatever a database that is out of reach raises, and a conflict."""

from __future__ import annotations

import threading

from runledger.tracker import retrying
from runledger.tracker.errors import StoreUnavailable, WrongExpectedVersion
from runledger.trainer import prometheus


class Retry(retrying.Retry):
    """Each failure is counted. `more` are errors that pass for this caller."""

    def __init__(self, stop: threading.Event, *more: type[Exception]) -> None:
        super().__init__(stop, StoreUnavailable, WrongExpectedVersion, *more, on_failure=_count)


def _count(error: Exception) -> None:
    prometheus.RETRIES.inc()
