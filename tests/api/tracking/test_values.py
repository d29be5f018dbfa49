"""What may be logged: numbers of all kinds, names, params; and what is refused, by which words."""

from __future__ import annotations

import decimal
import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from runledger.api.tracking import values
from runledger.api.tracking.errors import Misused


class TorchScalar:
    """What torch's tensor of one element offers."""

    def item(self) -> float:
        return 0.25


@pytest.mark.parametrize(
    "value",
    [0.25, np.float32(0.25), np.float64(0.25), np.array(0.25), np.array([0.25]), jnp.float32(0.25),
     jnp.asarray([0.25]), TorchScalar(), decimal.Decimal("0.25")],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_whatever_has_one_value_is_a_number(value: Any) -> None:
    assert values.number("loss", value) == 0.25


def test_integers_booleans_and_what_is_not_finite_are_kept() -> None:
    assert values.number("n", 3) == 3.0
    assert values.number("flag", np.bool_(True)) == 1.0
    assert math.isnan(values.number("loss", np.float32("nan")))
    assert values.number("loss", jnp.inf) == math.inf


@pytest.mark.parametrize("value", ["0.3", b"1", None, [0.3], np.zeros(2), 1j, {}])
def test_what_is_not_one_number_is_refused_by_name(value: Any) -> None:
    with pytest.raises(TypeError, match="'loss'"):
        values.number("loss", value)


def test_an_integer_beyond_float64_is_refused() -> None:
    with pytest.raises(Misused, match="'n' is too large"):
        values.number("n", 10**400)


def test_a_traced_value_points_to_the_callback() -> None:
    @jax.jit
    def step(loss: jax.Array) -> jax.Array:
        values.number("loss", loss)
        return loss

    with pytest.raises(TypeError, match="jax_callback"):
        step(jnp.float32(1))


def test_steps_are_whole_numbers_of_64_bits() -> None:
    assert values.int64("step", np.int32(7)) == 7
    assert values.int64("step", jnp.int32(7)) == 7
    with pytest.raises(TypeError, match="step is a whole number"):
        values.int64("step", 7.0)  # type: ignore[arg-type]
    with pytest.raises(Misused, match="64 bits"):
        values.int64("step", 2**63)


def test_names_of_metrics_have_a_length_and_are_text() -> None:
    assert values.metric_key("k" * 250) == "k" * 250
    for bad in ("", "k" * 251, "half \ud800", "los\0s", "a\tb", "loss\n"):
        with pytest.raises(Misused):
            values.metric_key(bad)
    with pytest.raises(TypeError):
        values.metric_key(7)


def test_params_are_flattened_and_their_types_kept() -> None:
    given = {"lr": np.float64(0.1), "steps": 10, "model": {"sizes": [1, 2], "name": "x"}, "data": Path("a/b")}
    assert values.params(given) == {
        "lr": 0.1,
        "steps": 10,
        "model.sizes.0": 1,
        "model.sizes.1": 2,
        "model.name": "x",
        "data": "a/b",
    }
    assert type(values.params({"flag": True})["flag"]) is bool
    assert values.params({"clip": math.inf, "none": None}) == {"clip": "inf", "none": None}


def test_params_that_do_not_fit_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"'model\.layer' is a object"):
        values.params({"model": {"layer": object()}})
    with pytest.raises(Misused, match="64 bits"):
        values.params({"seed": 2**64})
    with pytest.raises(Misused, match="given twice"):
        values.params({"a.b": 1, "a": {"b": 2}})


def test_an_array_is_no_param() -> None:
    with pytest.raises(TypeError, match="'sizes' is a ndarray"):
        values.params({"sizes": np.zeros(3)})


@pytest.mark.parametrize(
    "given",
    [{"a\0": 1}, {"text": "x" * 100_001}, {str(number): 1 for number in range(10_001)},
     {str(number): "x" * 90_000 for number in range(20)}],
    ids=["NUL", "long", "many", "much"],
)  # fmt: skip
def test_params_that_no_tracker_would_take_are_refused_at_once(given: dict[str, Any]) -> None:
    with pytest.raises(Misused):
        values.params(given)


def test_texts_that_no_tracker_would_take_are_refused_at_once() -> None:
    for bad in ({"a\0": "b"}, {str(number): "" for number in range(1_001)}):
        with pytest.raises(Misused):
            values.tags(bad)
    with pytest.raises(Misused):
        values.name("an experiment", "a\0")


@pytest.mark.parametrize("path", ["", "a\0", "/abs", "a/../b", "a//b", "a\\b", "./a", "a/", "x" * 501])
def test_paths_of_artifacts_are_plain_and_relative(path: str) -> None:
    with pytest.raises(Misused):
        values.artifact_path(path)
