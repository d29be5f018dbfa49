"""Trying again: which errors, how long, and when it is given up."""

from __future__ import annotations

import threading

import pytest

from runledger.tracker.errors import GaveUp
from runledger.tracker.retrying import Retry


class Away(Exception):
    """It passes."""


class Flaky:
    """Fails so often."""

    def __init__(self, failures: int, error: type[Exception] = Away) -> None:
        self.left = failures
        self._error = error

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise self._error("away")
        return "done"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runledger.tracker.retrying.FIRST_SECONDS", 0.001)


def test_it_goes_on_until_it_works() -> None:
    failures: list[Exception] = []
    worked: list[int] = []
    retry = Retry(threading.Event(), Away, on_failure=failures.append, on_success=lambda: worked.append(1))
    assert retry(Flaky(3)) == "done"
    assert (len(failures), len(worked)) == (3, 1)


def test_what_does_not_pass_is_let_through() -> None:
    with pytest.raises(ValueError, match="away"):
        Retry(threading.Event(), Away)(Flaky(1, ValueError))


def test_whoever_is_told_to_stop_gives_up_after_one_try() -> None:
    stop = threading.Event()
    stop.set()
    flaky = Flaky(9)
    with pytest.raises(GaveUp):
        Retry(stop, Away)(flaky)
    assert flaky.left == 8


def test_an_error_may_ask_for_more_time() -> None:
    """The wait is as long as was asked for, and ends when it is told to."""
    stop, waits = threading.Event(), list[float | None]()

    class Waiting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return stop.is_set()

    assert Retry(Waiting(), Away, on_failure=lambda error: 7.0)(Flaky(2)) == "done"
    assert waits == [7.0, 7.0]
