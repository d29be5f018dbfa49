"""Reading on from a position, across pages, quiet times and outages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice

import pytest

from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.log import Log, Page
from runledger.tracker.subscription import Subscription
from tests.tracker.store.samples import noted, to


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Set at the end in any case."""
    event = threading.Event()
    yield event
    event.set()


def test_what_is_there_comes_in_pages_and_then_what_is_appended(log: Log, stop: threading.Event) -> None:
    log.append(to("run-1", 0, *(noted() for _ in range(5))))
    pages = Subscription(log, 1, limit=3, poll_seconds=0.01).pages(stop)
    assert [[each.position for each in page.events] for page in islice(pages, 2)] == [[2, 3, 4], [5]]
    threading.Timer(0.05, lambda: log.append(to("run-2", 0))).start()
    assert [each.position for each in next(pages).events] == [6]


def test_pages_without_events_of_the_kinds_tell_how_far_it_is(log: Log, stop: threading.Event) -> None:
    log.append(to("telemetry-1-1", 0, noted(), noted()))
    subscription = Subscription(log, 0, kinds=["run"])
    page = next(subscription.pages(stop))
    assert (page.events, page.scanned, subscription.after) == ([], 2, 2)


def test_it_ends_when_it_is_told_to(log: Log, stop: threading.Event) -> None:
    threading.Timer(0.05, stop.set).start()
    assert list(Subscription(log, 0, poll_seconds=0.01).pages(stop)) == []


def test_it_waits_for_a_database_that_is_away(
    log: Log, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(to("run-1", 0))
    monkeypatch.setattr("runledger.tracker.subscription.BACK_OFF_SECONDS", 0.01)
    tail, away = log.tail, [True, True]

    def sometimes(after: int, **how: int) -> Page:
        if away:
            away.pop()
            raise StoreUnavailable("the ledger", "gone for a walk")
        return tail(after, limit=how["limit"])

    monkeypatch.setattr(log, "tail", sometimes)
    page = next(Subscription(log, 0).pages(stop))
    assert ([each.position for each in page.events], away) == ([1], [])
