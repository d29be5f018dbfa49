"""The spec refuses what cannot be meant, and its presets are complete."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from runledger.tracker.errors import BadInput
from runledger.tracker.schemas import complete, merge, references
from runledger.trainer.lm import lm
from runledger.trainer.lm.spec import LmSpec

DATA = {"data": {"dataset": "d"}}


def read(values: dict[str, Any]) -> LmSpec:
    return msgspec.convert(merge(DATA, values), LmSpec)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"modle": {}}, "unknown field `modle`"),
        ({"model": {"depth": 3}}, "unknown field `depth`"),
        ({"model": {"width": 30, "heads": 4}}, "multiple of model.heads"),
        ({"model": {"width": 12, "heads": 4}}, "even quotient"),
        ({"model": {"heads": 4, "key_value_heads": 3}}, "multiple of model.key_value_heads"),
        ({"model": {"attention": "cudnn"}}, "bfloat16"),
        ({"tokenizer": {"vocabulary": 100}}, ">= 260"),
        ({"optimizer": {"warmup_steps": 10}, "training": {"steps": 10}}, "less than training.steps"),
        ({"evaluation": {"every": 10}}, "needs an evaluation.benchmark"),
        ({"training": {"steps": 0}}, ">= 1"),
        ({"seed": -1}, ">= 0"),
    ],
)
def test_a_spec_that_does_not_fit_is_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=problem):
        read(values)


@pytest.mark.parametrize("name", lm.presets)
def test_a_preset_is_complete_and_names_a_dataset_and_a_benchmark(name: str) -> None:
    schema = msgspec.json.schema(LmSpec)
    values = lm.presets[name]["spec"]
    found = {place: kind for place, kind, _ in references(schema, values)}
    assert found == {"$.data.dataset": "dataset", "$.evaluation.benchmark": "benchmark"}
    resolved = merge(values, {"data": {"dataset": "d"}, "evaluation": {"benchmark": "b"}})
    filled = complete(schema, resolved)
    assert msgspec.to_builtins(msgspec.convert(filled, LmSpec)) == filled


def test_the_schema_refuses_an_unknown_key_by_its_place() -> None:
    with pytest.raises(BadInput, match=r"\$\.model\.depth"):
        complete(msgspec.json.schema(LmSpec), merge(DATA, {"model": {"depth": 3}}))


def test_importing_the_recipe_loads_no_jax() -> None:
    script = "import sys, runledger.trainer.lm; sys.exit('jax' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
