"""What may be logged as a point, and what is refused before anything is written."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest

from runledger.tracker.errors import BadInput
from runledger.tracker.points import KNOWN_NAMES, MAX_NAME_LENGTH, Names, check_int64, numbers_of


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.int64(-3), -3.0),
        (np.array(2.5), 2.5),
        (math.inf, math.inf),
    ],
)
def test_whatever_is_a_number_becomes_a_float(value: Any, number: float) -> None:
    assert struct.unpack("<2d", numbers_of({"plain": 0.25, "x": value})) == (0.25, number)


@pytest.mark.parametrize("value", ["1.5", b"1", np.str_("1.5"), None, [1.0], 1j, 10**400])
def test_what_is_no_number_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(BadInput) as refused:
        numbers_of({"fine": 1.0, "odd": value})
    assert refused.value.place == "odd"


@pytest.mark.parametrize("name", ["", "x" * (MAX_NAME_LENGTH + 1), 7, None, b"loss", "a\udc80", "a\tb", "\0"])
def test_a_name_that_cannot_be_stored_is_refused_each_time(name: Any) -> None:
    names = Names()
    for _ in range(2):
        with pytest.raises(BadInput):
            names.of({"fine": 1.0, name: 1.0})


def test_names_are_given_in_their_order_whatever_was_asked_before() -> None:
    names = Names()
    for asked in (("a", "b"), ("b", "a"), ("b", "a"), ("c",), ("a", "b")):
        assert names.of(dict.fromkeys(asked, 0.0)) == asked


def test_names_without_end_are_not_remembered_without_end() -> None:
    names = Names()
    for first in range(0, 3 * KNOWN_NAMES, 50_000):
        names.of({f"{first + number}": 0.0 for number in range(50_000)})
    assert len(names._good) <= KNOWN_NAMES + 50_000


@pytest.mark.parametrize("number", [5, np.int64(5), np.uint8(5), np.array(5)])
def test_a_step_may_be_a_scalar_of_an_array_library(number: Any) -> None:
    found = check_int64("step", number)
    assert (found, type(found)) == (5, int)


@pytest.mark.parametrize("number", [5.0, np.float32(5), "5", None, 2**63, -(2**63) - 1])
def test_a_step_that_is_no_whole_number_of_64_bits_is_refused(number: Any) -> None:
    with pytest.raises(BadInput, match="step"):
        check_int64("step", number)
