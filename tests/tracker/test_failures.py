"""How an exception is told, whatever it is made of."""

from __future__ import annotations

import pytest

from runledger.tracker.failures import MAX_MESSAGE_CHARS, failed
from runledger.tracker.journal import encode_frame
from runledger.trainer.recipe import Diverged


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_exception_without_words_is_still_a_failure() -> None:
    ended = failed(Unspeakable(), 3)

    assert (ended.outcome, ended.error_class, ended.step) == ("failed", "Unspeakable", 3)
    assert ended.message == "(its message raises RuntimeError)"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Diverged("nan"), "diverged"),
        (FloatingPointError("overflow"), "diverged"),
        (MemoryError(), "out-of-memory"),
        (RuntimeError("RESOURCE_EXHAUSTED: out of memory"), "out-of-memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out-of-memory"),
        (ValueError("5"), "error"),
    ],
)
def test_the_reason_follows_from_the_exception(error: BaseException, reason: str) -> None:
    assert failed(error, None).reason == reason


def test_a_status_is_named_as_one() -> None:
    assert failed(SystemExit(3), None).message == "status 3"


def test_a_message_is_bounded_and_can_be_written() -> None:
    ended = failed(ValueError("\udcff" * 5_000), None)

    assert len(ended.message) == MAX_MESSAGE_CHARS
    assert encode_frame(ended)
