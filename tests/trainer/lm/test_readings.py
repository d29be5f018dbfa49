"""Metrics are read late but all of them, and training that has left the finite numbers ends."""

from __future__ import annotations

import math
from pathlib import Path

import jax.numpy as jnp
import pytest

from runledger.trainer import recipe
from runledger.trainer.lm.errors import Diverged
from runledger.trainer.lm.readings import IN_FLIGHT, Readings
from runledger.trainer.standalone import StandaloneContext


@pytest.fixture
def context(tmp_path: Path) -> StandaloneContext:
    return StandaloneContext(tmp_path, datasets={})


def test_the_last_steps_are_unread_until_drained(context: StandaloneContext) -> None:
    readings = Readings(context, {})
    for step in range(1, 6):
        readings.add(step, jnp.array([step / 2, 1.0, 0.1, 30.0]))
    assert context.series("train/loss") == [(step, step / 2) for step in range(1, 6 - IN_FLIGHT)]
    readings.drain()
    assert context.series("train/loss") == [(step, step / 2) for step in range(1, 6)]
    assert all(value > 0 for _, value in context.series("train/tokens_per_second"))


def test_the_newest_values_leave_out_what_a_clock_says(context: StandaloneContext) -> None:
    latest = {"eval/loss": 3.0}
    readings = Readings(context, latest)
    readings.add(1, jnp.array([0.5, 1.0, 0.25, 30.0]))
    readings.drain()
    assert latest == {
        "eval/loss": 3.0,
        "train/loss": 0.5,
        "train/grad_norm": 1.0,
        "train/learning_rate": 0.25,
    }


@pytest.mark.parametrize("vector", [[math.nan, 1.0, 0.1, 9.0], [1.0, math.inf, 0.1, 9.0]])
def test_a_number_that_is_not_finite_is_logged_and_ends_the_training(
    context: StandaloneContext, vector: list[float]
) -> None:
    readings = Readings(context, {})
    readings.add(1, jnp.array([1.0, 1.0, 0.1, 9.0]))
    readings.add(2, jnp.array(vector))
    with pytest.raises(Diverged, match="diverged at step 2") as ended:
        readings.drain()
    assert isinstance(ended.value, recipe.Diverged)
    assert [step for step, _ in context.series("train/loss")] == [1, 2]
