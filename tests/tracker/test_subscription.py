"""Waiting for the log to grow: at once when it does, never longer than told, and for next to nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.log import Log
from runledger.tracker.subscription import await_growth
from tests.tracker.store.samples import noted, to


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Set at the end in any case."""
    event = threading.Event()
    yield event
    event.set()


def test_it_ends_when_the_log_grows(log: Log, stop: threading.Event) -> None:
    head = log.append(to("run-1", 0, noted()))
    threading.Timer(0.05, lambda: log.append(to("run-2", 0, noted()))).start()
    await_growth(log, head, stop, poll_seconds=0.01)
    assert log.head() == head + 1


def test_what_came_before_the_wait_ends_it_as_well(log: Log, stop: threading.Event) -> None:
    log.append(to("run-1", 0, noted(), noted()))
    await_growth(log, 1, stop, poll_seconds=0.01)


def test_it_ends_when_it_is_told_to(log: Log, stop: threading.Event) -> None:
    threading.Timer(0.05, stop.set).start()
    await_growth(log, log.head(), stop, poll_seconds=60)


def test_it_ends_when_the_time_is_up(log: Log, stop: threading.Event) -> None:
    await_growth(log, log.head(), stop, poll_seconds=0.01, longest_seconds=0.05)


def test_an_outage_is_the_callers_affair(
    log: Log, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise StoreUnavailable("the ledger", "gone for a walk")

    monkeypatch.setattr(log, "head", fail)
    with pytest.raises(StoreUnavailable):
        await_growth(log, 0, stop, poll_seconds=0.01)
