"""What may be logged as a point, and what is refused before anything is written."""

from __future__ import annotations

import enum
import math
import struct
from typing import Any

import numpy as np
import pytest

from runledger.tracker.errors import BadInput
from runledger.tracker.points import KNOWN_NAMES, MAX_NAME_LENGTH, RowPacking, check_int64


class Split(enum.StrEnum):
    TRAIN = "train"


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
    names, row = RowPacking().row(-7, 2**63 - 1, {"plain": 0.25, "x": value})
    assert names == ("plain", "x")
    assert struct.unpack("<qqdd", row) == (-7, 2**63 - 1, 0.25, number)


def test_what_is_not_finite_keeps_its_bits() -> None:
    strange = struct.unpack("<d", bytes.fromhex("deadbeef0000f87f"))[0]  # a NaN with a payload
    _, row = RowPacking().row(0, 0, {"a": strange, "b": -math.inf, "c": -0.0})
    assert row[16:].hex() == "deadbeef0000f87f" + "000000000000f0ff" + "0000000000000080"


@pytest.mark.parametrize("value", ["1.5", b"1", np.str_("1.5"), None, [1.0], 1j, 10**400])
def test_what_is_no_number_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(BadInput) as refused:
        RowPacking().row(0, 0, {"fine": 1.0, "odd": value})
    assert refused.value.place == "odd"


@pytest.mark.parametrize("number", [5.0, np.float32(5), "5", None, 2**63, -(2**63) - 1])
@pytest.mark.parametrize("place", ["step", "time"])
def test_a_step_or_time_that_is_no_whole_number_of_64_bits_is_refused(place: str, number: Any) -> None:
    with pytest.raises(BadInput) as refused:
        RowPacking().row(**{"step": 0, "time": 0, place: number, "values": {"a": 1.0}})
    assert refused.value.place == place


@pytest.mark.parametrize("name", ["", "x" * (MAX_NAME_LENGTH + 1), 7, None, b"loss", "a\udc80", "a\tb", "\0"])
def test_a_name_that_cannot_be_stored_is_refused_each_time(name: Any) -> None:
    packing = RowPacking()
    for _ in range(2):
        with pytest.raises(BadInput):
            packing.row(0, 0, {"fine": 1.0, name: 1.0})


def test_names_are_given_in_their_order_whatever_was_asked_before() -> None:
    packing = RowPacking()
    for asked in (("a", "b"), ("b", "a"), ("b", "a"), ("c",), (), ("a", "b")):
        assert packing.row(0, 0, dict.fromkeys(asked, 0.0))[0] == asked


@pytest.mark.parametrize("name", [np.str_("train"), Split.TRAIN])
def test_a_text_of_a_class_of_its_own_is_the_plain_text_also_where_that_is_known(name: Any) -> None:
    for known in ({}, {"train": 0.0}):
        packing = RowPacking()
        packing.row(0, 0, known)
        packing.row(0, 0, {"other": 0.0})
        (found,) = packing.row(0, 0, {name: 0.0})[0]
        assert (found, type(found)) == ("train", str)


def test_names_without_end_are_not_remembered_without_end() -> None:
    packing = RowPacking()
    for first in range(0, 3 * KNOWN_NAMES, 50_000):
        packing.row(0, 0, {f"{first + number}": 0.0 for number in range(50_000)})
    assert len(packing._good) <= KNOWN_NAMES + 50_000


@pytest.mark.parametrize("values", [[], [("a", 1.0)], ["a"], "a"])
def test_what_is_no_mapping_is_refused(values: Any) -> None:
    with pytest.raises(BadInput):
        RowPacking().row(0, 0, values)


def test_values_that_change_while_they_are_logged_are_refused() -> None:
    class Growing(dict[str, float]):
        def values(self) -> Any:
            return [1.0, 2.0]

    with pytest.raises(BadInput, match="changed"):
        RowPacking().row(0, 0, Growing(a=1.0))


@pytest.mark.parametrize("number", [5, np.int64(5), np.uint8(5), np.array(5)])
def test_a_step_may_be_a_scalar_of_an_array_library(number: Any) -> None:
    found = check_int64("step", number)
    assert (found, type(found)) == (5, int)
