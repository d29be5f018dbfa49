"""Whether a value surely fits a JSON Schema, for a tenth of what `jsonschema` takes.

Only a yes counts. A no may also mean a keyword that is not known here, or a value on the edge: then
`jsonschema` decides, and says what is wrong (`tracker.schemas`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runledger.tracker.spec import JsonObject

SAYS_NOTHING = frozenset(
    ("$defs", "$schema", "title", "description", "default", "examples", "discriminator", "x-runledger")
)
"""Keywords that no value can fail."""


def fits(root: JsonObject, schema: Any, value: object) -> bool:
    """`schema` lies in `root`, whose definitions it refers to."""
    if not isinstance(schema, dict):
        return schema is True
    for keyword, argument in schema.items():
        if keyword in SAYS_NOTHING:
            continue
        check = CHECKS.get(keyword)
        if check is None or not check(root, schema, argument, value):
            return False
    return True


def _of_type(root: JsonObject, schema: JsonObject, name: Any, value: object) -> bool:
    return isinstance(name, str) and type(value) in TYPES.get(name, ())


def _in_enum(root: JsonObject, schema: JsonObject, values: Any, value: object) -> bool:
    return (value is None or type(value) is str) and value in values


def _at_target(root: JsonObject, schema: JsonObject, reference: str, value: object) -> bool:
    target: Any = root
    if reference != "#":
        if not reference.startswith("#/") or "~" in reference or "%" in reference:
            return False
        for part in reference[2:].split("/"):
            target = target.get(part) if isinstance(target, dict) else None
    return target is not None and fits(root, target, value)


def _in_a_branch(root: JsonObject, schema: JsonObject, branches: Any, value: object) -> bool:
    return any(fits(root, branch, value) for branch in branches)


def _in_properties(root: JsonObject, schema: JsonObject, properties: Any, value: object) -> bool:
    if not isinstance(value, dict):
        return True
    return all(fits(root, below, value[key]) for key, below in properties.items() if key in value)


def _in_additional(root: JsonObject, schema: JsonObject, below: Any, value: object) -> bool:
    if "patternProperties" in schema:
        return False
    if below is True or not isinstance(value, dict):
        return True
    known = schema.get("properties", {})
    return all(key in known or fits(root, below, item) for key, item in value.items())


def _has_required(root: JsonObject, schema: JsonObject, keys: Any, value: object) -> bool:
    return not isinstance(value, dict) or all(key in value for key in keys)


def _in_prefix(root: JsonObject, schema: JsonObject, prefix: Any, value: object) -> bool:
    if not isinstance(value, list):
        return True
    return all(fits(root, below, item) for below, item in zip(prefix, value, strict=False))


def _in_items(root: JsonObject, schema: JsonObject, below: Any, value: object) -> bool:
    if not isinstance(value, list):
        return True
    return all(fits(root, below, item) for item in value[len(schema.get("prefixItems", ())) :])


def _compared(types: tuple[type, ...], holds: Callable[[Any, Any], bool]) -> Check:
    """Of other types the keyword says nothing."""

    def check(root: JsonObject, schema: JsonObject, bound: Any, value: object) -> bool:
        return type(value) not in types or holds(value, bound)

    return check


Check = Callable[[JsonObject, JsonObject, Any, object], bool]

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
NUMBERS = TYPES["number"]

CHECKS: dict[str, Check] = {
    "type": _of_type,
    "enum": _in_enum,
    "$ref": _at_target,
    "anyOf": _in_a_branch,
    "properties": _in_properties,
    "additionalProperties": _in_additional,
    "required": _has_required,
    "prefixItems": _in_prefix,
    "items": _in_items,
    "minimum": _compared(NUMBERS, lambda value, bound: value >= bound),
    "maximum": _compared(NUMBERS, lambda value, bound: value <= bound),
    "exclusiveMinimum": _compared(NUMBERS, lambda value, bound: value > bound),
    "exclusiveMaximum": _compared(NUMBERS, lambda value, bound: value < bound),
    "minLength": _compared((str,), lambda value, bound: len(value) >= bound),
    "maxLength": _compared((str,), lambda value, bound: len(value) <= bound),
    "minItems": _compared((list,), lambda value, bound: len(value) >= bound),
    "maxItems": _compared((list,), lambda value, bound: len(value) <= bound),
}
