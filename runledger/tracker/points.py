"""Points as a journal takes them: checked where they are logged, and packed into the bytes of a row.

The training pays for this at each step, with caches that hold its own data and not ours. So nothing
here loops in Python over names that are known or over what is a number, and little memory is touched.
"""

from __future__ import annotations

import operator
import re
import struct
import sys
from collections.abc import Callable, Mapping
from typing import SupportsFloat, SupportsIndex, TypeAlias

from runledger.tracker.errors import BadInput

MAX_NAME_LENGTH = 250
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""What no name of a metric holds: no page shows it, and PostgreSQL keeps no NUL."""
KNOWN_NAMES = 250_000
"""So many names are remembered as good; who makes up new ones at each step fills no memory."""
VALUES_AT = 16
"""Where the values of a row begin: a float64 each, behind its step and its time, int64. All little-endian."""
_ROW = "qq{}d" if sys.byteorder == "little" else "<qq{}d"
"""The machine's own order takes half the time."""


_Layout: TypeAlias = tuple[tuple[str, ...], Callable[..., bytes]]
"""Names, and what packs step, time and a value for each of them."""


class RowPacking:
    """What is logged becomes rows. For any number of threads."""

    def __init__(self) -> None:
        self._last = _layout(())
        self._good: dict[str, str] = {}
        """The names that were checked, each as a plain text."""

    def row(
        self, step: SupportsIndex, time: SupportsIndex, values: Mapping[str, SupportsFloat]
    ) -> tuple[tuple[str, ...], bytes]:
        """The names in their order, and the bytes. Raises `BadInput` for what cannot be stored."""
        last, pack = self._last
        names = tuple(values)
        if names != last:
            last, pack = self._last = _layout(self._checked(names))
        try:
            return last, pack(step, time, *values.values())
        except (struct.error, TypeError, ValueError, OverflowError, AttributeError):
            raise _refusal(step, time, values) from None

    def _checked(self, names: tuple[str, ...]) -> tuple[str, ...]:
        good = self._good
        try:
            return tuple([good[name] for name in names])
        except (KeyError, TypeError):
            found = [plain_name(name) for name in names]
        if len(good) > KNOWN_NAMES:
            good = self._good = {}
        good.update(zip(found, found, strict=True))
        return tuple(found)


def _layout(names: tuple[str, ...]) -> _Layout:
    return names, struct.Struct(_ROW.format(len(names))).pack


def plain_name(name: str) -> str:
    """Also of a text with a class of its own, as an enumeration has it.

    Raises `BadInput` unless it has 1 to 250 characters, none of them a control character.
    """
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_LENGTH:
        raise BadInput(repr(name), f"a metric's name is a text of 1 to {MAX_NAME_LENGTH} characters")
    if CONTROL.search(name):
        raise BadInput(repr(name), "a metric's name has no control characters")
    try:
        return name.encode().decode()
    except UnicodeEncodeError:
        raise BadInput(ascii(name), "a metric's name has to be Unicode that UTF-8 can spell") from None


def _refusal(step: SupportsIndex, time: SupportsIndex, values: Mapping[str, SupportsFloat]) -> BadInput:
    try:
        check_int64("step", step)
        check_int64("time", time)
    except BadInput as refusal:
        return refusal
    if not hasattr(values, "items"):
        return BadInput("values", f"not a mapping of names to numbers but {type(values).__name__}")
    for name, value in values.items():
        try:
            struct.pack("d", value)
        except (struct.error, TypeError, ValueError, OverflowError) as problem:
            return BadInput(name, f"not a number but {type(value).__name__}: {problem}")
    return BadInput("values", "were changed while they were logged")


def check_int64(place: str, number: SupportsIndex) -> int:
    """Also a scalar of an array library. Raises `BadInput` for what is no whole number of 64 bits."""
    try:
        found = operator.index(number)
    except TypeError:
        raise BadInput(place, f"not an integer but {type(number).__name__}") from None
    if not -(2**63) <= found < 2**63:
        raise BadInput(place, f"{found} does not fit into 64 bits")
    return found
