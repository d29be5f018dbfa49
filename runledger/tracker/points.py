"""Points as a journal takes them: names and numbers, checked where they are logged.

The training pays for this at each step, with caches that hold its own data and not ours. So nothing
here loops in Python over names that are known or over what is a number, and little memory is touched.
"""

from __future__ import annotations

import operator
import re
import struct
import sys
from collections.abc import Mapping
from typing import SupportsFloat, SupportsIndex

from runledger.tracker.errors import BadInput

MAX_NAME_LENGTH = 250
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""What no name of a metric holds: no page shows it, and PostgreSQL keeps no NUL."""
KNOWN_NAMES = 250_000
"""So many names are remembered as good; who makes up new ones at each step fills no memory."""
_DOUBLES = "{}d" if sys.byteorder == "little" else "<{}d"
"""The machine's own order takes half the time."""


class Names:
    """The names that were checked already. Any thread may ask."""

    def __init__(self) -> None:
        self._last: tuple[str, ...] = ()
        self._good: set[str] = set()

    def of(self, values: Mapping[str, object]) -> tuple[str, ...]:
        """In their order. Raises `BadInput` for one that cannot be stored."""
        names = tuple(values)
        last = self._last
        if names == last:
            return last
        if not values.keys() <= self._good:
            self._check(names)
        self._last = names
        return names

    def _check(self, names: tuple[str, ...]) -> None:
        for name in names:
            check_name(name)
        if len(self._good) > KNOWN_NAMES:
            self._good = set()
        self._good.update(names)


def check_name(name: str) -> None:
    """Raises `BadInput` unless it is a text of 1 to 250 characters, none of them a control character."""
    if type(name) is not str or not 0 < len(name) <= MAX_NAME_LENGTH:
        raise BadInput(repr(name), f"a metric's name is a text of 1 to {MAX_NAME_LENGTH} characters")
    if CONTROL.search(name):
        raise BadInput(repr(name), "a metric's name has no control characters")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BadInput(ascii(name), "a metric's name has to be Unicode that UTF-8 can spell") from None


def numbers_of(values: Mapping[str, SupportsFloat]) -> bytes:
    """As raw little-endian float64, in their order. Raises `BadInput` for what is no number, as texts are."""
    try:
        return struct.pack(_DOUBLES.format(len(values)), *values.values())
    except (struct.error, TypeError, ValueError, OverflowError):
        raise _refusal(values) from None


def _refusal(values: Mapping[str, SupportsFloat]) -> BadInput:
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
