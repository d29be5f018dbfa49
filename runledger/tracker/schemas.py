"""Values against a JSON Schema or a type: defaults filled in, problems named by the place they stand in.

A launch is checked against the schema that a worker announced (Draft 2020-12, as msgspec writes it), so
that whoever accepts a launch needs nothing of the recipe itself. Nothing here knows what the keys mean,
but for the annotation `x-runledger`, which marks a field that names a dataset or a benchmark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import msgspec

from runledger.tracker.errors import BadInput
from runledger.tracker.fitting import fits
from runledger.tracker.spec import JsonObject

if TYPE_CHECKING:
    import jsonschema

ANNOTATION = "x-runledger"
ReferenceKind = Literal["dataset", "benchmark"]

T = TypeVar("T")
_AT = re.compile(r"^(?P<problem>.*) - at `(?P<place>[^`]*)`$", re.DOTALL)


def convert(value: object, type: type[T], place: str = "$") -> T:
    """`value` as `type`; raises `BadInput` with the place below `place`."""
    try:
        return msgspec.convert(value, type)
    except msgspec.ValidationError as error:
        below, problem = problem_of(error)
        raise BadInput(place + below.removeprefix("$"), problem) from None


def problem_of(error: Exception) -> tuple[str, str]:
    """The place (`$` where msgspec names none) and the problem of one of msgspec's errors."""
    found = _AT.match(str(error))
    return (found["place"], found["problem"]) if found else ("$", str(error))


def complete(schema: JsonObject, values: JsonObject, preset: JsonObject | None = None) -> JsonObject:
    """`values` over `preset` over the schema's defaults, complete and valid.

    Objects are merged key by key, anything else is replaced whole. Raises `BadInput` with the place of
    the first thing that does not fit; an unknown key is one.
    """
    merged = merge(preset or {}, values)
    filled = _filled(schema, schema, merged)
    if not isinstance(filled, dict):
        raise BadInput("$", "expected an object")
    validate(schema, filled)
    return filled


def merge(under: JsonObject, over: JsonObject) -> JsonObject:
    """`over` laid upon `under`; neither is changed."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def validate(schema: JsonObject, value: object) -> None:
    """Raises `BadInput` with the place and the problem that says most."""
    if fits(schema, schema, value):
        return
    errors = list(_validator(msgspec.json.encode(schema)).iter_errors(value))
    if errors:
        error = _meant(schema, max(errors, key=_weight))
        raise BadInput(_place(error), _problem(error))


@lru_cache(maxsize=64)
def _validator(schema: bytes) -> jsonschema.Draft202012Validator:
    """Made once for a schema: it finds its way through the references anew each time."""
    from jsonschema import Draft202012Validator  # seconds, and most of those who import this never validate

    return Draft202012Validator(msgspec.json.decode(schema))


def references(schema: JsonObject, values: JsonObject) -> list[tuple[str, ReferenceKind, Any]]:
    """Each (place, kind, value) of `values` that stands where the schema is annotated as a reference.

    A value may be of any type yet: a launch may describe what is to be made and named in its place.
    """
    found: list[tuple[str, ReferenceKind, Any]] = []

    def keep(place: str, kind: ReferenceKind, value: Any) -> Any:
        found.append((place, kind, value))
        return value

    with_references(schema, values, keep)
    return found


def with_references(
    schema: JsonObject, values: JsonObject, replace: Callable[[str, ReferenceKind, Any], Any]
) -> JsonObject:
    """`values` with what `replace(place, kind, value)` gives for each reference; None is none."""
    known = _annotated(msgspec.json.encode(schema))
    replaced: JsonObject = _replaced(known, known.root, values, "$", replace)
    return replaced


class _Annotated(NamedTuple):
    """A schema, and the ids of those of its parts that are annotated or lead to one that is."""

    root: JsonObject
    leading: frozenset[int]


@lru_cache(maxsize=64)
def _annotated(schema: bytes) -> _Annotated:
    """Most of a spec bears no reference: this tells where not to look."""
    root = msgspec.json.decode(schema)
    referrers: dict[int, list[int]] = {}
    parts, leading = [root], []
    for part in parts:  # it grows meanwhile
        below = [each for each in _members(part) if isinstance(each, dict | list)]
        for each in below:
            referrers.setdefault(id(each), []).append(id(part))
        parts += below
        if isinstance(part, dict):
            with suppress(LookupError, TypeError, AttributeError):  # a key of a default, or leads nowhere
                referrers.setdefault(id(_target(root, part["$ref"])), []).append(id(part))
            if ANNOTATION in part:
                leading.append(id(part))
    found: set[int] = set()
    while leading:
        part_id = leading.pop()
        if part_id not in found:
            found.add(part_id)
            leading += referrers.get(part_id, ())
    return _Annotated(root, frozenset(found))


def _members(part: Any) -> Iterable[Any]:
    return part.values() if isinstance(part, dict) else part


def _replaced(
    known: _Annotated,
    schema: JsonObject,
    value: Any,
    place: str,
    replace: Callable[[str, ReferenceKind, Any], Any],
) -> Any:
    if id(schema) not in known.leading:
        return value
    root = known.root
    schema = _branch(root, schema, value)
    kind = _reference_kind(root, schema)
    if kind is not None and value is not None:
        return replace(place, kind, value)
    if isinstance(value, dict):
        return {
            key: _replaced(known, _property(schema, key), below, f"{place}.{key}", replace)
            for key, below in value.items()
        }
    if isinstance(value, list):
        return [
            _replaced(known, _items(schema, index), below, f"{place}[{index}]", replace)
            for index, below in enumerate(value)
        ]
    return value


def _reference_kind(root: JsonObject, schema: JsonObject) -> ReferenceKind | None:
    """Of a union that has no branch for the value: what any of its branches is annotated with."""
    candidates = (schema, *(_dereferenced(root, branch) for branch in schema.get("anyOf", ())))
    return next((each[ANNOTATION] for each in candidates if ANNOTATION in each), None)


def _filled(root: JsonObject, schema: JsonObject, value: object) -> object:
    schema = _branch(root, schema, value)
    if isinstance(value, dict):
        return _filled_object(root, schema, value)
    if isinstance(value, list):
        return [_filled(root, _items(schema, index), item) for index, item in enumerate(value)]
    return _number(schema, value)


MAX_EXACT = 2**53
"""Up to here every integer is a float too."""


def _number(schema: JsonObject, value: object) -> object:
    """JSON knows one kind of number: 2.0 where an integer is wanted is 2, and 2 where any is wanted 2.0."""
    if isinstance(value, float) and schema.get("type") == "integer" and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or schema.get("type") != "number":
        return value
    return float(value) if abs(value) <= MAX_EXACT else value


def _filled_object(root: JsonObject, schema: JsonObject, value: JsonObject) -> JsonObject:
    filled: JsonObject = {}
    for key, below in schema.get("properties", {}).items():
        if key in value:
            filled[key] = _filled(root, below, value[key])
        elif "default" in below:
            filled[key] = _filled(root, below, below["default"])
    for key, item in value.items():
        if key not in filled:
            filled[key] = _filled(root, _property(schema, key), item)
    return filled


def _branch(root: JsonObject, schema: JsonObject, value: object) -> JsonObject:
    """The schema that `value` is to be read by: `$ref` followed, of an `anyOf` the branch that it is of."""
    schema = _dereferenced(root, schema)
    for branch in schema.get("anyOf", ()):
        candidate = _branch(root, branch, value)
        if _is_of(candidate, value):
            kept = {key: item for key, item in schema.items() if key != "anyOf"}
            return kept | candidate
    return schema


def _dereferenced(root: JsonObject, schema: JsonObject) -> JsonObject:
    while "$ref" in schema:
        target = _target(root, schema["$ref"])
        schema = target | {key: item for key, item in schema.items() if key != "$ref"}
    return schema


def _target(root: JsonObject, reference: str) -> JsonObject:
    target: Any = root
    for part in reference.removeprefix("#/").split("/"):
        target = target[part.replace("~1", "/").replace("~0", "~")]
    found: JsonObject = target
    return found


_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list, tuple),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def _is_of(schema: JsonObject, value: object) -> bool:
    """Whether the branch is meant for such a value: by type, and by the constants of a tagged object."""
    if isinstance(value, bool):
        return schema.get("type") == "boolean"
    if isinstance(value, float) and schema.get("type") == "integer":
        return value.is_integer()
    if not isinstance(value, _JSON_TYPES.get(schema.get("type", ""), (object,))):
        return False
    if not isinstance(value, dict):
        return True
    return all(
        value.get(key) in below["enum"]
        for key, below in schema.get("properties", {}).items()
        if key in schema.get("required", ()) and "enum" in below
    )


def _property(schema: JsonObject, key: str) -> JsonObject:
    known = schema.get("properties", {}).get(key)
    extra = schema.get("additionalProperties")
    return known if known is not None else extra if isinstance(extra, dict) else {}


def _items(schema: JsonObject, index: int) -> JsonObject:
    prefix = schema.get("prefixItems", ())
    below = prefix[index] if index < len(prefix) else schema.get("items")
    return below if isinstance(below, dict) else {}


def _weight(error: jsonschema.ValidationError) -> tuple[int, int]:
    """The largest says most: what lies highest up, and there a key that should not be."""
    return (-len(error.path), int(error.validator == "additionalProperties"))


def _meant(root: JsonObject, error: jsonschema.ValidationError) -> jsonschema.ValidationError:
    """Of a union that fits nowhere: the problem in the branch that the value is of, where there is one."""
    while error.validator == "anyOf" and error.context:
        branches: Any = error.validator_value
        is_meant = [_is_of(_dereferenced(root, branch), error.instance) for branch in branches]
        below = [each for each in error.context if is_meant[int(each.schema_path[0])]]
        if not below:
            return error
        error = max(below, key=_weight)
    return error


def _place(error: jsonschema.ValidationError) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    extra = _unknown_keys(error)
    return f"${place}" + (f".{extra[0]}" if extra else "")


def _problem(error: jsonschema.ValidationError) -> str:
    if _unknown_keys(error):
        known = ", ".join(sorted(_known_keys(error)))
        return f"unknown key; known here: {known}"
    tag = error.schema.get("discriminator") if isinstance(error.schema, Mapping) else None
    if error.validator == "anyOf" and tag and isinstance(error.instance, dict):
        known = ", ".join(sorted(tag["mapping"]))
        return f"{tag['propertyName']!r} must be one of: {known}"
    return str(error.message)


def _unknown_keys(error: jsonschema.ValidationError) -> list[str]:
    if error.validator != "additionalProperties" or not isinstance(error.instance, dict):
        return []
    return sorted(set(error.instance) - _known_keys(error))


def _known_keys(error: jsonschema.ValidationError) -> set[str]:
    return set(error.schema.get("properties", {})) if isinstance(error.schema, Mapping) else set()
