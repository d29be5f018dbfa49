"""The OpenAPI document is whole: an example for every body, each one true, and every answer described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import pytest
from jsonschema import Draft202012Validator

from runledger.api import answers
from runledger.api.http import encoding
from runledger.api.http.examples import EXAMPLES
from runledger.api.http.openapi import METHODS, struct_of
from tests.api.conftest import Api

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document(shared_api: Api) -> Json:
    found: Json = shared_api.client.get("/schema/openapi.json").json()
    return found


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield f"{method} {path}", operation


def bodies(document: Json) -> Iterator[tuple[str, str, Json]]:
    for name, operation in operations(document):
        if "requestBody" in operation:
            for media_type, media in operation["requestBody"]["content"].items():
                yield f"{name} request", media_type, media
        for status, response in operation["responses"].items():
            for media_type, media in response.get("content", {}).items():
                yield f"{name} {status}", media_type, media


def test_it_is_openapi_3_1_and_served_at_two_addresses(shared_api: Api, document: Json) -> None:
    assert document["openapi"].startswith("3.1")
    assert shared_api.client.get("/schema").json() == document


def test_every_json_body_has_an_example_that_fits_its_schema(document: Json) -> None:
    components = {"components": document["components"]}
    for name, media_type, media in bodies(document):
        if "json" in media_type:
            assert "example" in media, name
        if media_type in ("application/json", "application/problem+json"):
            validator = Draft202012Validator({**media["schema"], **components})
            problem = jsonschema.exceptions.best_match(validator.iter_errors(media["example"]))
            assert problem is None, f"{name}: {problem}"


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_is_what_the_api_reads_and_writes(name: str) -> None:
    encoded = encoding.encode(EXAMPLES[name])
    if name.startswith("PageOf"):
        kind: Any = answers.Page[getattr(answers, name.removeprefix("PageOf"))]  # type: ignore[misc]
    else:
        kind = struct_of(name)
    assert encoding.encode(msgspec.json.decode(encoded, type=kind)) == encoded


def test_every_operation_is_named_described_and_has_its_problems(document: Json) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for name, operation in operations(document):
        assert operation["summary"], name
        assert {"400", "401", "403", "421", "422", "503"} <= operation["responses"].keys(), name
        assert "404" in operation["responses"] or "{" not in name, name


def test_a_body_that_may_be_absent_is_not_required(document: Json) -> None:
    paths = document["paths"]
    assert paths["/api/v1/runs/{run_id}/cancel"]["post"]["requestBody"]["required"] is False
    assert paths["/api/v1/runs"]["post"]["requestBody"]["required"] is True


def test_a_number_may_be_spelled(document: Json) -> None:
    value = document["components"]["schemas"]["Series"]["properties"]["value"]
    Draft202012Validator(value).validate([1.5, "NaN", "-Infinity"])
    with pytest.raises(jsonschema.ValidationError):
        Draft202012Validator(value).validate(["nan"])
