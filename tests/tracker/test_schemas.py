"""Launches against an announced JSON Schema, as msgspec writes it for a recipe's spec."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
import pytest

from runledger.tracker import schemas
from runledger.tracker.errors import BadInput
from runledger.tracker.spec import JsonObject

DatasetRef = Annotated[str, msgspec.Meta(extra_json_schema={"x-runledger": "dataset"})]
BenchmarkRef = Annotated[str, msgspec.Meta(extra_json_schema={"x-runledger": "benchmark"})]


class Adam(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="adam", tag_field="kind"
):
    rate: Annotated[float, msgspec.Meta(gt=0)] = 0.001


class Sgd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sgd", tag_field="kind"):
    rate: float = 0.1
    momentum: float = 0.9


class Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    train: DatasetRef
    mix: tuple[DatasetRef, ...] = ()
    tokenizer: DatasetRef | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    layers: Annotated[int, msgspec.Meta(ge=1)] = 4
    precision: Literal["f32", "bf16"] = "f32"


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    data: Data
    benchmarks: list[BenchmarkRef] = []
    model: Model = Model()
    optimizer: Adam | Sgd = Adam()
    steps: int = 100
    labels: dict[str, str] = {}
    limit: float | None = None


SCHEMA: JsonObject = json.loads(msgspec.json.encode(msgspec.json.schema(Spec)))
LEAST: JsonObject = {"data": {"train": "d1"}}


def complete(values: JsonObject, preset: JsonObject | None = None) -> JsonObject:
    return schemas.complete(SCHEMA, values, preset)


def refusal(values: Any, preset: JsonObject | None = None) -> BadInput:
    with pytest.raises(BadInput) as refused:
        complete(values, preset)
    return refused.value


def test_every_default_is_filled_in_also_below_references() -> None:
    assert complete(LEAST) == {
        "data": {"train": "d1", "mix": [], "tokenizer": None},
        "benchmarks": [],
        "model": {"layers": 4, "precision": "f32"},
        "optimizer": {"kind": "adam", "rate": 0.001},
        "steps": 100,
        "labels": {},
        "limit": None,
    }


def test_what_is_complete_reads_as_the_spec_itself() -> None:
    assert msgspec.convert(complete(LEAST), Spec) == Spec(data=Data(train="d1"))
    assert complete(complete(LEAST)) == complete(LEAST)


def test_defaults_of_the_branch_that_was_chosen_are_filled_in() -> None:
    given = LEAST | {"optimizer": {"kind": "sgd", "rate": 1.0}}
    assert complete(given)["optimizer"] == {"kind": "sgd", "rate": 1.0, "momentum": 0.9}


def test_given_values_lie_over_the_preset_over_the_defaults() -> None:
    preset: JsonObject = {"data": {"train": "d1"}, "model": {"layers": 2, "precision": "bf16"}, "steps": 7}
    values = complete({"model": {"layers": 3}}, preset)
    assert values["model"] == {"layers": 3, "precision": "bf16"}
    assert values["steps"] == 7
    assert preset["model"] == {"layers": 2, "precision": "bf16"}


def test_numbers_are_of_the_kind_that_the_schema_wants() -> None:
    given = LEAST | {"steps": 7.0, "limit": 3, "optimizer": {"kind": "sgd", "rate": 1}}
    values = complete(given)
    read = (values["steps"], values["limit"], values["optimizer"]["rate"])
    assert read == (7, 3.0, 1.0)
    assert [type(each) for each in read] == [int, float, float]
    assert refusal(LEAST | {"steps": 7.5}).place == "$.steps"


def test_an_integer_that_no_float_holds_stays_as_it_is() -> None:
    assert complete(LEAST | {"limit": 2**53 + 1})["limit"] == 2**53 + 1


def test_a_list_replaces_the_presets_list_whole() -> None:
    assert complete({"benchmarks": ["b"]}, LEAST | {"benchmarks": ["a", "c"]})["benchmarks"] == ["b"]


@pytest.mark.parametrize(
    ("values", "place", "problem"),
    [
        ({"data": {"train": "d"}, "stepz": 1}, "$.stepz", "unknown key; known here: benchmarks, data"),
        ({"data": {"train": "d", "tests": 1}}, "$.data.tests", "unknown key; known here: mix, tokenizer"),
        ({"data": {"train": "d"}, "steps": "many"}, "$.steps", "'many' is not of type 'integer'"),
        ({"data": {"train": "d"}, "steps": True}, "$.steps", "True is not of type 'integer'"),
        ({"data": {"train": "d"}, "model": {"layers": 0}}, "$.model.layers", "less than the minimum of 1"),
        ({"data": {"train": "d"}, "model": {"precision": "f8"}}, "$.model.precision", "'f8' is not one of"),
        ({"data": {}}, "$.data", "'train' is a required property"),
        ({}, "$", "'data' is a required property"),
        ({"data": {"train": "d", "mix": ["a", 5]}}, "$.data.mix[1]", "5 is not of type 'string'"),
        ({"data": {"train": "d"}, "labels": {"a": 1}}, "$.labels.a", "1 is not of type 'string'"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(values: JsonObject, place: str, problem: str) -> None:
    error = refusal(values)
    assert error.place == place
    assert problem in error.problem


@pytest.mark.parametrize(
    ("optimizer", "place", "problem"),
    [
        ({"kind": "adam", "rate": -1}, "$.optimizer.rate", "less than or equal to the minimum of 0"),
        ({"kind": "sgd", "ratio": 1}, "$.optimizer.ratio", "unknown key; known here: kind, momentum, rate"),
        ({"kind": "lion"}, "$.optimizer", "'kind' must be one of: adam, sgd"),
        ({"rate": 0.1}, "$.optimizer", "'kind' must be one of: adam, sgd"),
        (None, "$.optimizer", "None is not valid under any of the given schemas"),
    ],
)
def test_a_problem_in_a_union_is_named_in_the_branch_that_was_meant(
    optimizer: JsonObject | None, place: str, problem: str
) -> None:
    error = refusal(LEAST | {"optimizer": optimizer})
    assert error.place == place
    assert problem in error.problem


def test_references_are_found_wherever_they_stand() -> None:
    values = complete({"data": {"train": "d1", "mix": ["d2", "d3"]}, "benchmarks": ["b1"]})
    assert schemas.references(SCHEMA, values) == [
        ("$.data.train", "dataset", "d1"),
        ("$.data.mix[0]", "dataset", "d2"),
        ("$.data.mix[1]", "dataset", "d3"),
        ("$.benchmarks[0]", "benchmark", "b1"),
    ]


def test_references_that_are_still_descriptions_are_found_too() -> None:
    maker = {"generator": "arithmetic", "options": {"seed": 1}}
    values = schemas.merge(LEAST, {"data": {"train": maker, "tokenizer": maker}})
    assert schemas.references(SCHEMA, values) == [
        ("$.data.train", "dataset", maker),
        ("$.data.tokenizer", "dataset", maker),
    ]


def test_references_are_replaced_in_a_copy() -> None:
    values = complete({"data": {"train": "d1", "mix": ["d2"]}})
    made = schemas.with_references(SCHEMA, values, lambda place, kind, value: f"{kind} {value} at {place}")
    assert made["data"]["train"] == "dataset d1 at $.data.train"
    assert made["data"]["mix"] == ["dataset d2 at $.data.mix[0]"]
    assert made["data"]["tokenizer"] is None
    assert values["data"]["train"] == "d1"


class Mixture(msgspec.Struct):
    weights: dict[str, float] = {}
    parts: list[Mixture | None] = []
    corpus: DatasetRef = ""


def test_references_are_found_in_what_refers_to_itself() -> None:
    schema = json.loads(msgspec.json.encode(msgspec.json.schema(Mixture)))
    corpus = {"corpus": "d1", "weights": {"corpus": 1.0}}
    assert schemas.references(schema, {"parts": [None, {"parts": [corpus]}], "weights": {"a": 1.0}}) == [
        ("$.parts[1].parts[0].corpus", "dataset", "d1")
    ]


def test_a_field_may_be_called_as_a_reference_to_a_definition() -> None:
    schema = {
        "properties": {"$ref": {"type": "string"}, "at": {schemas.ANNOTATION: "dataset", "$ref": "#/none"}}
    }
    assert schemas.references({"properties": {"below": schema}}, {"below": {"$ref": "x"}}) == []


def test_a_value_is_read_as_a_type_or_named_by_its_place() -> None:
    assert schemas.convert({"layers": 2}, Model, "$.model") == Model(layers=2)
    with pytest.raises(BadInput) as refused:
        schemas.convert({"layers": 0}, Model, "$.model")
    assert (refused.value.place, refused.value.problem) == ("$.model.layers", "Expected `int` >= 1")
