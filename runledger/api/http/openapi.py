"""The OpenAPI document, made true: errors of every operation as problem details, examples for every body.

Litestar draws operations, parameters and schemas from the handlers. Added here is what it cannot know:
the problems that an operation may answer with, that an optional body may be absent, and the examples of
`api.http.examples`. Its `oneOf` is made `anyOf`: 3 is an integer and a number, and may be both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.plugins import JsonRenderPlugin

from runledger.api import answers, attempt_requests, batches, requests
from runledger.api.http import encoding, problems
from runledger.api.http.bodies import METRICS
from runledger.api.http.examples import EXAMPLES, problem_example

Json = dict[str, Any]

ANY = (400, 401, 403, 421, 422, 503)
"""Any operation may answer so."""
METHODS = frozenset({"get", "head", "put", "post", "patch", "delete"})
TELEMETRY = ("/metrics", "/output")
"""What may be refused because too much of it waits."""
PROBLEM = "Problem"
BODIES = (requests, attempt_requests, batches, answers)
"""The modules of all that is read and answered."""
_PAGE_NAME = re.compile(r"Page_runledger\.api\.answers\.(\w+?)_")


class DocumentPlugin(JsonRenderPlugin):
    """Serves the described document, made once."""

    def __init__(self) -> None:
        super().__init__(path=["/", "/openapi.json"])
        self._document = b""

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:
        if not self._document:
            self._document = encoding.encode(described(openapi_schema))
        return self._document


def described(document: Json) -> Json:
    """Litestar's document, completed."""
    text = _PAGE_NAME.sub(r"PageOf\1", encoding.encode(document).decode())
    document = msgspec.json.decode(text.replace('"oneOf":', '"anyOf":'))
    components = document.setdefault("components", {}).setdefault("schemas", {})
    components[PROBLEM] = problem_schema()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                _complete(path, method, operation)
    components.update(_exact([*components, METRICS]))
    for name, schema in components.items():
        if name in EXAMPLES:
            schema["examples"] = [encoding.spell(EXAMPLES[name])]
    for operation in operations(document):
        _add_examples(operation, components)
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{}, {"token": []}]
    return document


def operation_id(handler: HTTPRouteHandler, method: Any, path: list[Any]) -> str:
    """The name of the handler, in the spelling that generated clients like."""
    first, *rest = handler.handler_name.rpartition(".")[2].split("_")
    return first + "".join(map(str.capitalize, rest))


def operations(document: Json) -> Iterator[Json]:
    for item in document["paths"].values():
        for method, operation in item.items():
            if method in METHODS:
                yield operation


def _complete(path: str, method: str, operation: Json) -> None:
    responses = operation["responses"]
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
    responses.pop("400", None)
    for status in _statuses(path, method, operation):
        responses[str(status)] = {
            "description": problems.phrase(status),
            "content": {
                problems.MEDIA_TYPE: {
                    "schema": {"$ref": f"#/components/schemas/{PROBLEM}"},
                    "example": encoding.spell(problem_example(status)),
                }
            },
        }
    body = operation.get("requestBody")
    if body and any(_is_optional(media["schema"]) for media in body["content"].values()):
        body["required"] = False


def _statuses(path: str, method: str, operation: Json) -> list[int]:
    headers = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "header"}
    statuses = set(ANY)
    if any(each["name"] == "as_of" for each in operation.get("parameters", ())):
        statuses.add(409)
    if "{" in path:
        statuses.add(404)
    if "Range" in headers:
        statuses.add(416)
    if method not in ("get", "head"):
        statuses |= {404, 409, 413, 415}
    if method == "post" and path.endswith(TELEMETRY):
        statuses.add(429)
    if "If-Match" in headers:
        statuses.add(412)
    return sorted(statuses)


def _exact(components: Iterable[str]) -> Json:
    """The schemas of bodies as msgspec draws them, which reads them: every bound and pattern is there."""
    known = [struct_of(name) for name in components]
    drawn: tuple[Any, Json] = msgspec.json.schema_components(
        [struct for struct in known if struct is not None], ref_template="#/components/schemas/{name}"
    )
    return drawn[1]


def struct_of(name: str) -> Any:
    """What a component of the document describes; None for what is described by hand."""
    return next((getattr(module, name) for module in BODIES if hasattr(module, name)), None)


def _is_optional(schema: Json) -> bool:
    return {"type": "null"} in schema.get("anyOf", ())


def _without_null(schema: Json) -> Json:
    """In an address or a header nothing is null: it is absent."""
    branches = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    kept = {key: value for key, value in schema.items() if key != "anyOf"}
    if len(branches) == 1:
        return {**kept, **branches[0]}
    return kept | {"anyOf": branches} if branches else schema


def _add_examples(operation: Json, components: Json) -> None:
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for body in [*bodies, *operation["responses"].values()]:
        for media in body.get("content", {}).values():
            example = _example_of(media.get("schema", {}), components)
            if example is not None:
                media.setdefault("example", example)


def _example_of(schema: Json, components: Json) -> Any:
    """The example of the component that the schema refers to, directly or as its one alternative."""
    references = [schema, *schema.get("anyOf", ()), *schema.get("allOf", ())]
    names = [each["$ref"].rpartition("/")[2] for each in references if "$ref" in each]
    examples = [components[name]["examples"][0] for name in names if "examples" in components[name]]
    return examples[0] if examples else None


def problem_schema() -> Json:
    fault = {
        "type": "object",
        "properties": {"place": {"type": "string"}, "problem": {"type": "string"}},
        "required": ["place", "problem"],
    }
    return {
        "title": PROBLEM,
        "description": "What went wrong (RFC 9457).",
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "faults": {"type": "array", "items": fault},
            "position": {"type": "integer"},
            "version": {"type": "integer"},
            "batches": {"type": "integer"},
            "output_bytes": {"type": "integer"},
        },
        "required": ["type", "title", "status", "detail"],
    }
