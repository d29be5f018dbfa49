"""Plain numbers and names from what recipes hand over: scalars of arrays become numbers, the rest is refused.

The same in an attempt, in a rehearsal and in a recipe's own tests, so that what one takes the others take.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import SupportsFloat, SupportsIndex

import msgspec

from runledger.tracker.errors import BadInput
from runledger.tracker.events.base import Score
from runledger.tracker.points import CONTROL, MAX_NAME_LENGTH, check_int64
from runledger.trainer.errors import BadMetrics, MisusedContext


def whole(place: str, number: SupportsIndex) -> int:
    """Raises `MisusedContext` for what is no whole number of 64 bits."""
    try:
        return check_int64(place, number)
    except BadInput as problem:
        raise MisusedContext(str(problem)) from None


def check_not_before(step: int, saved_step: int | None) -> None:
    """The step of a checkpoint against the last one's. Raises `MisusedContext`."""
    if step < 0:
        raise MisusedContext(f"a checkpoint's step must not be negative: {step}")
    if saved_step is not None and step < saved_step:
        raise MisusedContext(
            f"a checkpoint at step {step} cannot follow the one at step {saved_step};"
            " does the training go on from `checkpoint_folder`?"
        )


def real(place: str, number: SupportsFloat) -> float:
    """Raises `MisusedContext` for what is no number, as texts and arrays are."""
    try:
        (found,) = struct.unpack("d", struct.pack("d", number))
    except (struct.error, TypeError, ValueError, OverflowError) as problem:
        raise MisusedContext(f"{place}: not a number but {type(number).__name__}: {problem}") from None
    return float(found)


def real_or_none(place: str, number: SupportsFloat | None) -> float | None:
    return None if number is None else real(place, number)


def plain_metrics(metrics: Mapping[str, SupportsFloat]) -> dict[str, float]:
    """Names of 1 to 250 characters with their numbers. Raises `MisusedContext`."""
    if not isinstance(metrics, Mapping):
        raise MisusedContext(f"metrics are names with their numbers, not a {type(metrics).__name__}")
    for name in metrics:
        if type(name) is not str or not 0 < len(name) <= MAX_NAME_LENGTH or CONTROL.search(name):
            rule = f"a text of 1 to {MAX_NAME_LENGTH} characters, none of them a control character"
            raise MisusedContext(f"{name!r}: a metric's name is {rule}")
        text("a metric's name", name)
    return {name: real(name, value) for name, value in metrics.items()}


def text(place: str, value: str) -> str:
    """Raises `MisusedContext` for what is no text, or none that UTF-8 can spell."""
    if not isinstance(value, str):
        raise MisusedContext(f"{place}: not a text but {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise MisusedContext(f"{place}: {value!a} is no text that UTF-8 can spell") from None
    return value


def final_metrics(returned: Mapping[str, SupportsFloat] | None) -> dict[str, float]:
    """What a training has returned. Raises `BadMetrics`."""
    try:
        return {} if returned is None else plain_metrics(returned)
    except MisusedContext as problem:
        raise BadMetrics(str(problem)) from None


def plain_score(score: Score) -> Score:
    """Raises `MisusedContext` with the score's name."""
    if not isinstance(score, Score):
        raise MisusedContext(f"not a Score but a {type(score).__name__}")
    name = score.name
    return msgspec.structs.replace(
        score,
        value=real(name, score.value),
        low=real_or_none(name, score.low),
        high=real_or_none(name, score.high),
        count=whole(name, score.count),
        unscored=whole(name, score.unscored),
    )
