"""The JSON Schema of a spec's type, from which launches are checked and forms are drawn.

What msgspec writes (types, bounds, choices, defaults), and the string below each field as its
description, so that whoever fills in a form reads what stands in the code.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect as types

from runledger.tracker.spec import JsonObject
from runledger.trainer.errors import BadSpec


def schema_of(spec: type[msgspec.Struct]) -> JsonObject:
    """Raises `BadSpec` for a type that JSON Schema cannot say, or that would take unknown keys."""
    try:
        schema: JsonObject = msgspec.json.schema(spec)
    except TypeError as error:
        raise BadSpec(spec.__name__, str(error).strip().splitlines()[-1]) from None
    kinds = list(_structs(types.type_info(spec), set()))
    for kind in kinds:
        if not kind.__struct_config__.forbid_unknown_fields:
            raise BadSpec(kind.__name__, "a misspelt key would go unnoticed: set forbid_unknown_fields=True")
    names = [kind.__name__ for kind in kinds]
    for kind in kinds:
        properties = schema["$defs"].get(kind.__name__, {}).get("properties", {})
        if names.count(kind.__name__) == 1:
            _describe(kind, properties)
    return schema


def _describe(kind: type[msgspec.Struct], properties: JsonObject) -> None:
    """Whatever says something already goes on saying that."""
    told = _docstrings(kind)
    for field in msgspec.structs.fields(kind):
        if field.name in told:
            properties[field.encode_name].setdefault("description", told[field.name])


def _structs(found: Any, seen: set[type]) -> Iterator[type[msgspec.Struct]]:
    """Every Struct class that a type is made of, each once."""
    if isinstance(found, types.StructType):
        if found.cls in seen:
            return
        seen.add(found.cls)
        yield found.cls
    if isinstance(found, types.Type | types.Field):
        for name in found.__struct_fields__:
            yield from _structs(getattr(found, name), seen)
    elif isinstance(found, tuple):
        for below in found:
            yield from _structs(below, seen)


def _docstrings(kind: type) -> dict[str, str]:
    """The string below each annotated field of a class and of those that it extends."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if issubclass(each, msgspec.Struct) and each is not msgspec.Struct:
            found |= dict(_own_docstrings(each))
    return found


def _own_docstrings(kind: type) -> Iterator[tuple[str, str]]:
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):  # made at run time: there is no source
        return
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    for field, after in zip(body.body, body.body[1:], strict=False):
        match field, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())
