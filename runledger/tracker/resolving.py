"""From what a launch says to the complete, valid values of a spec, wherever it is launched.

The preset lies over the schema's defaults and what is given over the preset. What is described in the
place of a name is made last, so that nothing is made for a spec that does not fit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runledger.tracker import schemas
from runledger.tracker.errors import BadInput
from runledger.tracker.schemas import ReferenceKind
from runledger.tracker.spec import JsonObject

INT64 = range(-(2**63), 2**63)
PLACEHOLDER = "0" * 64
"""Stands for a digest or id while the rest of a spec is checked."""

Make = Callable[[str, ReferenceKind, Any], str]
"""(place, kind, name or description) to the digest or id that takes its place."""


def resolve(schema: JsonObject, preset: JsonObject, given: JsonObject, make: Make) -> JsonObject:
    """The values of the spec. Raises `BadInput` with the place below `$.spec`, and what `make` raises."""
    check_integers(given, "$.spec")
    merged = schemas.merge(preset, given)
    described = {
        place: value for place, _, value in schemas.references(schema, merged) if isinstance(value, dict)
    }
    values = _complete(schema, schemas.with_references(schema, merged, _placeholder))
    return schemas.with_references(
        schema, values, lambda place, kind, value: make(_in_spec(place), kind, described.get(place, value))
    )


def check_integers(value: Any, place: str) -> None:
    """JSON has integers of any size; a spec is stored as MessagePack, which has not."""
    if isinstance(value, dict):
        for key, below in value.items():
            check_integers(below, f"{place}.{key}")
    elif isinstance(value, list):
        for index, below in enumerate(value):
            check_integers(below, f"{place}[{index}]")
    elif isinstance(value, int) and value not in INT64:
        raise BadInput(place, "must fit into 64 bits")


def _placeholder(place: str, kind: ReferenceKind, value: Any) -> Any:
    return PLACEHOLDER if isinstance(value, dict) else value


def _complete(schema: JsonObject, values: JsonObject) -> JsonObject:
    try:
        return schemas.complete(schema, values)
    except BadInput as error:
        raise BadInput(_in_spec(error.place), error.problem) from None


def _in_spec(place: str) -> str:
    return "$.spec" + place.removeprefix("$")
