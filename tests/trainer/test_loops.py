"""The threads that do one thing again and again: how they wait, and what they survive."""

from __future__ import annotations

import threading
import time

from runledger.tracker.errors import StoreUnavailable
from runledger.trainer.loops import LEAST_SECONDS, MOST_SECONDS, Loop, Prompt


class Bells:
    """Hints that are there whenever they are waited for, or never."""

    def __init__(self) -> None:
        self.is_ringing = True
        self.waited: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        return self.is_ringing

    def close(self) -> None:
        """There is nothing to close."""


def seconds_of(prompt: Prompt) -> float:
    began = time.monotonic()
    prompt.wait(30.0)
    return time.monotonic() - began


def test_hints_that_come_all_the_time_are_followed_less_and_less_eagerly() -> None:
    bells = Bells()
    prompt = Prompt(bells)
    waits = [seconds_of(prompt) for _ in range(8)]

    assert waits[1] >= LEAST_SECONDS
    assert waits[7] >= MOST_SECONDS
    bells.is_ringing = False
    prompt.wait(30.0)
    bells.is_ringing = True
    assert seconds_of(prompt) < waits[7]
    assert set(bells.waited) == {30.0}


def test_a_loop_goes_on_at_once_while_there_is_something_to_do_and_survives_what_it_raises() -> None:
    stop = threading.Event()
    done: list[int] = []

    def step() -> bool:
        done.append(len(done))
        match len(done):
            case 1:
                return True
            case 2:
                raise StoreUnavailable("somewhere", "away")
            case 3:
                raise ConnectionError("the broker is away")
        stop.set()
        return False

    loop = Loop("test", 0.01, step, stop)
    loop.start()
    loop.join(timeout=30)

    assert not loop.is_alive()
    assert done == [0, 1, 2, 3]
