"""What an attempt waits for before its child exists ends when it has to stop, also where it hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from runledger.tracker.errors import BlobMissing, GaveUp, StoreUnavailable
from runledger.trainer.conclusion import Cause
from runledger.trainer.errors import Interrupted
from runledger.trainer.interruption import Interruptible


def never(moved_at: float) -> Cause | None:
    return None


def test_what_works_is_handed_on() -> None:
    assert Interruptible(lambda move: 7, never).run() == 7


def test_what_is_out_of_reach_is_tried_again() -> None:
    tries: list[int] = []

    def second(move: Callable[[], None]) -> int:
        tries.append(1)
        if len(tries) == 1:
            raise StoreUnavailable("s3://x", "away")
        return len(tries)

    assert Interruptible(second, never).run() == 2


def test_what_nobody_has_is_raised() -> None:
    def missing(move: Callable[[], None]) -> int:
        raise BlobMissing("d")

    with pytest.raises(BlobMissing):
        Interruptible(missing, never).run()


def test_a_call_that_hangs_holds_nothing_up() -> None:
    begun, over = threading.Event(), threading.Event()

    def hangs(move: Callable[[], None]) -> None:
        begun.set()
        over.wait(60)

    try:
        with pytest.raises(Interrupted) as stopped:
            Interruptible(hangs, lambda moved_at: "request" if begun.is_set() else None).run()
        assert stopped.value.cause == "request"
    finally:
        over.set()


def test_who_is_given_up_stops_at_its_next_movement() -> None:
    given_up, ended = threading.Event(), threading.Event()

    def endless(move: Callable[[], None]) -> None:
        try:
            while True:
                given_up.wait(0.01)
                move()
        except GaveUp:
            ended.set()

    with pytest.raises(Interrupted):
        Interruptible(endless, lambda moved_at: "preemption").run()
    assert ended.wait(30)


def test_an_outage_is_no_hang_and_a_silent_call_is_one() -> None:
    times = iter(range(1, 10_000))
    silent, over = threading.Event(), threading.Event()
    stood_still: list[float] = []

    def out_of_reach_and_then_silent(move: Callable[[], None]) -> None:
        if not stood_still:
            raise StoreUnavailable("s3://x", "away")
        silent.set()
        over.wait(60)

    def look(moved_at: float) -> Cause | None:
        stood_still.append(moved_at)
        return "no-progress" if silent.is_set() and stood_still[-3:] == [moved_at] * 3 else None

    try:
        with pytest.raises(Interrupted) as stopped:
            Interruptible(out_of_reach_and_then_silent, look, clock=lambda: float(next(times))).run()
    finally:
        over.set()
    assert stopped.value.cause == "no-progress"
    assert stood_still[0] < stood_still[1]
