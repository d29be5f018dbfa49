"""Any event at all comes back as it was, NaN and infinities too."""

from __future__ import annotations

import types
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from runledger.tracker import events
from runledger.tracker.envelope import from_micros
from runledger.tracker.events import CATALOGUE
from runledger.tracker.events.upcasts import UPCASTS
from runledger.tracker.spec import DeviceRequest, JsonObject, Limits

words = st.text(st.characters(codec="utf-8"), max_size=5)
whole = st.integers(-(2**63), 2**63 - 1)
json_values: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | whole | st.floats() | words,
    lambda below: st.lists(below, max_size=2) | st.dictionaries(words, below, max_size=2),
    max_leaves=3,
)
PLAIN: dict[Any, SearchStrategy[Any]] = {
    int: whole,
    float: st.floats(),
    str: words,
    bytes: st.binary(max_size=8),
    bool: st.booleans(),
    type(None): st.none(),
    msgspec.UnsetType: st.just(msgspec.UNSET),
    datetime: st.integers(0, 2**52).map(from_micros),
    Any: json_values,
    Limits: st.builds(Limits, attempts=st.integers(1, 9), no_progress_seconds=st.floats(0.1, 9)),
    DeviceRequest: st.builds(DeviceRequest, count=st.integers(1, 9), memory_bytes=st.integers(0, 9)),
}


def values_of(hint: Any) -> SearchStrategy[Any]:
    """Values of a type hint as events use them."""
    hint = getattr(hint, "__supertype__", hint)
    if hint in PLAIN:
        return PLAIN[hint]
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return st.sampled_from(args)
    if origin in (Union, types.UnionType):
        return st.one_of(map(values_of, args))
    if origin is tuple:
        return st.lists(values_of(args[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(values_of(args[0]), values_of(args[1]), max_size=3)
    return structs_of(hint)


def structs_of(struct: type[msgspec.Struct]) -> SearchStrategy[Any]:
    hints = get_type_hints(struct)
    return st.builds(struct, **{name: values_of(hints[name]) for name in struct.__struct_fields__})


@pytest.mark.parametrize("tag", CATALOGUE)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_event_comes_back_as_it_was(tag: str, data: DataObject) -> None:
    event = data.draw(structs_of(CATALOGUE[tag]))
    decoded = events.decode(tag, event.schema, events.encode(event))
    assert type(decoded) is type(event)
    assert same(decoded, event), (decoded, event)


def same(left: Any, right: Any) -> bool:
    """Equal with NaN equal to NaN, all the way down, and of the same types."""
    if type(left) is not type(right):
        return False
    if isinstance(left, msgspec.Struct):
        return all(same(getattr(left, name), getattr(right, name)) for name in left.__struct_fields__)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right or (left != left and right != right))


def test_older_schemas_are_made_new_one_step_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class of two schemas is put into the catalogue: no real one has had to change yet."""

    class RunHidden(CATALOGUE["RunHidden"], frozen=True, kw_only=True):  # type: ignore[misc]
        schema = 3
        why: str = ""

    def first_to_second(fields: JsonObject) -> JsonObject:
        return {"cause": fields["reason"]}

    def second_to_third(fields: JsonObject) -> JsonObject:
        return {"why": fields["cause"] + "!"}

    monkeypatch.setitem(events.CATALOGUE, "RunHidden", RunHidden)
    monkeypatch.setitem(UPCASTS, ("RunHidden", 1), first_to_second)
    monkeypatch.setitem(UPCASTS, ("RunHidden", 2), second_to_third)
    old = msgspec.msgpack.encode({"reason": "typo"})
    assert events.decode("RunHidden", 1, old) == RunHidden(why="typo!")
