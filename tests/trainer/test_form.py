"""The schema of a spec says what its code says: bounds, choices, defaults and the strings below fields."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import pytest

from runledger.trainer.errors import BadSpec
from runledger.trainer.form import schema_of
from runledger.trainer.lm.spec import LmSpec


class Base(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Of everything
    that is drawn."""


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    hidden_units: Annotated[int, msgspec.Meta(ge=1, le=4096, description="Said already.")] = 64
    """Not said again."""
    activation: Literal["relu", "gelu"] = "relu"
    """Between the layers."""


class Spec(Base, frozen=True, kw_only=True):
    models: tuple[Model, ...] = ()
    """One after the other."""
    best: Model | None = None
    """None is none."""
    silent: int = 1


def test_fields_are_described_as_in_the_code() -> None:
    schema = schema_of(Spec)
    properties = schema["$defs"]["Spec"]["properties"]
    assert properties["seed"] == {
        "type": "integer",
        "minimum": 0,
        "default": 0,
        "description": "Of everything that is drawn.",
    }
    assert properties["models"]["description"] == "One after the other."
    assert properties["best"]["description"] == "None is none."
    assert "description" not in properties["silent"]


def test_the_structs_below_are_described_too() -> None:
    properties = schema_of(Spec)["$defs"]["Model"]["properties"]
    assert properties["hiddenUnits"]["description"] == "Said already."
    assert properties["hiddenUnits"]["maximum"] == 4096
    assert properties["activation"]["description"] == "Between the layers."
    assert properties["activation"]["enum"] == ["gelu", "relu"]


def test_what_is_made_at_run_time_has_a_schema_without_descriptions() -> None:
    made = msgspec.defstruct("Made", [("steps", int, 3)], forbid_unknown_fields=True)
    assert schema_of(made)["$defs"]["Made"]["properties"] == {"steps": {"type": "integer", "default": 3}}


def test_a_spec_that_would_take_a_misspelt_key_is_refused() -> None:
    below = msgspec.defstruct("Below", [("rate", float, 0.1)])
    above = msgspec.defstruct("Above", [("optimizer", below | None, None)], forbid_unknown_fields=True)
    with pytest.raises(BadSpec, match="Below: a misspelt key would go unnoticed"):
        schema_of(above)


def test_a_spec_that_no_schema_can_say_is_refused_by_the_type_of_its_field() -> None:
    with pytest.raises(BadSpec, match="Spec: type <class 'complex'> is not supported"):
        schema_of(msgspec.defstruct("Spec", [("phase", complex)], forbid_unknown_fields=True))


def test_the_form_of_lm_tells_what_its_fields_mean() -> None:
    definitions = schema_of(LmSpec)["$defs"]
    assert definitions["Training"]["properties"]["batch_size"]["description"] == "Rows a step."
    assert definitions["LmSpec"]["properties"]["model"]["$ref"] == "#/$defs/Model"
