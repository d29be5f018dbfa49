"""A yes is never wrong: whatever fits here, fits for `jsonschema` too."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runledger.tracker.fitting import fits
from runledger.tracker.spec import JsonObject


class Leaf(msgspec.Struct, forbid_unknown_fields=True, tag="leaf", tag_field="kind"):
    rate: Annotated[float, msgspec.Meta(gt=0, le=2)] = 1.0
    mode: Literal["a", "b"] | None = None


class Tree(msgspec.Struct, forbid_unknown_fields=True, tag="tree", tag_field="kind"):
    below: Annotated[list[Tree | Leaf], msgspec.Meta(max_length=2)] = []
    pair: tuple[int, str] = (1, "")
    names: dict[str, Annotated[str, msgspec.Meta(min_length=1)]] = {}
    count: Annotated[int, msgspec.Meta(ge=0, lt=3)] | bool = 0


SCHEMA: JsonObject = json.loads(msgspec.json.encode(msgspec.json.schema(Tree)))
EXACT = Draft202012Validator(SCHEMA)

scalars = st.sampled_from([None, True, False, 0, 1, 2, 3, -1, 1.0, 0.5, float("nan"), "", "a", "b", "tree"])
kinds = st.sampled_from(["tree", "leaf"])
leaves = st.fixed_dictionaries({"kind": kinds}, optional={"rate": scalars, "mode": scalars})
trees = st.recursive(
    leaves | scalars,
    lambda below: st.fixed_dictionaries(
        {"kind": kinds},
        optional={
            "below": st.lists(below, max_size=3),
            "pair": st.lists(scalars, max_size=3),
            "names": st.dictionaries(st.sampled_from(["x", "y"]), scalars),
            "count": scalars,
            "else": scalars,
        },
    ),
    max_leaves=6,
)


@given(trees)
def test_what_surely_fits_is_valid(value: Any) -> None:
    assert not fits(SCHEMA, SCHEMA, value) or EXACT.is_valid(value)


@pytest.mark.parametrize(
    ("value", "is_sure"),
    [
        ({"kind": "tree"}, True),
        ({"kind": "tree", "below": [{"kind": "leaf", "rate": 2.0, "mode": "b"}, {"kind": "tree"}]}, True),
        ({"kind": "tree", "pair": [1, "x"], "names": {"x": "y"}, "count": True}, True),
        ({"kind": "tree", "below": [{"kind": "leaf", "rate": 0}]}, False),
        ({"kind": "tree", "names": {"x": ""}}, False),
        ({"kind": "tree", "else": 1}, False),
        ({"kind": "leaf"}, False),
        ({"kind": "tree", "pair": [True, "x"]}, False),
    ],
)
def test_what_a_recipe_asks_for_is_decided_here(value: JsonObject, is_sure: bool) -> None:
    assert fits(SCHEMA, SCHEMA, value) is is_sure
    assert EXACT.is_valid(value) is is_sure


def test_a_keyword_that_is_not_known_here_is_left_to_others() -> None:
    assert not fits({}, {"type": "string", "pattern": "a"}, "a")
    assert not fits({}, {"type": "integer"}, 2.0)
    assert not fits({}, {"additionalProperties": False, "patternProperties": {"a": {}}}, {"a": 1})
