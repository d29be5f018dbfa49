"""What a launch leaves open is settled: defaults, preset, and what is described instead of named."""

from __future__ import annotations

from typing import Any

import pytest

from runledger.tracker.errors import BadInput
from runledger.tracker.resolving import resolve
from runledger.tracker.spec import JsonObject

SCHEMA: JsonObject = {
    "type": "object",
    "additionalProperties": False,
    "required": ["data"],
    "properties": {
        "steps": {"type": "integer", "minimum": 1, "default": 10},
        "data": {"type": "string", "x-runledger": "dataset"},
        "parts": {"type": "array", "items": {"type": "string", "x-runledger": "dataset"}, "default": []},
        "benchmark": {
            "anyOf": [{"type": "string", "x-runledger": "benchmark"}, {"type": "null"}],
            "default": None,
        },
    },
}


class Maker:
    """Gives each description a name and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, place: str, kind: str, value: Any) -> str:
        self.asked.append((place, kind, value))
        return value if isinstance(value, str) else f"made-{len(self.asked)}"


def test_descriptions_are_made_in_their_places() -> None:
    make = Maker()
    given: JsonObject = {"parts": ["known", {"generator": "g"}], "benchmark": {"name": "b"}}
    values = resolve(SCHEMA, {"data": {"generator": "f"}, "steps": 3}, given, make)
    assert values == {"steps": 3, "data": "made-1", "parts": ["known", "made-3"], "benchmark": "made-4"}
    assert make.asked == [
        ("$.spec.data", "dataset", {"generator": "f"}),
        ("$.spec.parts[0]", "dataset", "known"),
        ("$.spec.parts[1]", "dataset", {"generator": "g"}),
        ("$.spec.benchmark", "benchmark", {"name": "b"}),
    ]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"steps": 0}, "$.spec.steps"),
        ({"stepz": 1}, "$.spec.stepz"),
        ({"steps": 2**63}, "$.spec.steps"),
        ({"data": 3}, "$.spec.data"),
    ],
)
def test_nothing_is_made_for_values_that_do_not_fit(given: JsonObject, place: str) -> None:
    make = Maker()
    with pytest.raises(BadInput) as refused:
        resolve(SCHEMA, {"data": {"generator": "f"}}, given, make)
    assert refused.value.place == place
    assert make.asked == []


def test_what_is_not_described_is_none() -> None:
    assert resolve(SCHEMA, {}, {"data": "d1"}, Maker())["benchmark"] is None
