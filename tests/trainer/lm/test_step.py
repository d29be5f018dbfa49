"""A step learns its targets only, follows the schedule, and obeys every key of the optimizer."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from runledger.trainer.lm import spec
from runledger.trainer.lm.data import Rows
from runledger.trainer.lm.step import (
    METRICS,
    State,
    compile_step,
    initial_state,
    make_network,
    make_optimizer,
    make_schedule,
    mean_loss,
)

MODEL = spec.Model(layers=1, width=8, heads=2, key_value_heads=2, hidden=8)
VOCABULARY = 20
STEPS = 10


def batch() -> Rows:
    random = np.random.default_rng(0)
    learned = np.ones((2, 6), np.bool_)
    learned[0, 3:] = False
    return Rows(random.integers(0, VOCABULARY, (2, 7)).astype(np.int32), learned)


def run(optimizer: spec.Optimizer, steps: int) -> tuple[State, list[dict[str, float]]]:
    network = make_network(MODEL, VOCABULARY)
    rule = make_optimizer(optimizer, STEPS)
    state = initial_state(MODEL, VOCABULARY, rule, seed=0)
    step = compile_step(network, rule, make_schedule(optimizer, STEPS), state, batch())
    seen = []
    for _ in range(steps):
        state, vector = step(state, batch())
        seen.append(dict(zip(METRICS, np.asarray(vector).tolist(), strict=True)))
    return state, seen


def test_the_loss_is_the_mean_over_learned_targets() -> None:
    network = make_network(MODEL, VOCABULARY)
    state = initial_state(MODEL, VOCABULARY, make_optimizer(spec.Optimizer(), STEPS), seed=0)
    rows = batch()
    logits = np.asarray(network(state.params)(rows.tokens[:, :-1]), np.float64)
    likelihood = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    picked = np.take_along_axis(likelihood, rows.tokens[:, 1:, None], axis=-1)[..., 0]
    expected = -picked[rows.learned].mean()
    assert float(mean_loss(network(state.params), rows)) == pytest.approx(expected, rel=1e-5)


def test_steps_make_the_loss_fall_and_count_themselves() -> None:
    state, seen = run(spec.Optimizer(learning_rate=1e-2, warmup_steps=0), STEPS)
    assert seen[-1]["loss"] < 0.7 * seen[0]["loss"]
    assert {metrics["tokens"] for metrics in seen} == {9.0}
    assert int(state.step) == STEPS


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        ("linear", [0.25, 0.5, 0.75, 1.0, 1.0, 0.85, 0.7, 0.55, 0.4, 0.25]),
    ],
)
def test_the_learning_rate_warms_up_and_follows_its_schedule(schedule: str, expected: list[float]) -> None:
    optimizer = spec.Optimizer(learning_rate=1.0, warmup_steps=4, schedule=schedule, final_fraction=0.1)  # type: ignore[arg-type]
    rates = [float(make_schedule(optimizer, STEPS)(step)) for step in range(STEPS)]
    assert rates == pytest.approx(expected)


def test_a_cosine_falls_to_its_final_fraction() -> None:
    optimizer = spec.Optimizer(learning_rate=1.0, warmup_steps=0, schedule="cosine", final_fraction=0.2)
    rates = [float(make_schedule(optimizer, STEPS)(step)) for step in range(STEPS + 1)]
    assert rates == sorted(rates, reverse=True)
    assert (rates[0], rates[STEPS // 2], rates[-1]) == pytest.approx((1.0, 0.6, 0.2))


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 2e-3},
        {"warmup_steps": 3},
        {"schedule": "constant"},
        {"final_fraction": 0.5},
        {"beta1": 0.5},
        {"beta2": 0.5},
        {"weight_decay": 0.0},
        {"clip_norm": 1e-3},
    ],
)
def test_every_key_of_the_optimizer_has_an_effect(change: dict[str, float | str], usual: State) -> None:
    other, _ = run(spec.Optimizer(**{"warmup_steps": 2, **change}), 4)  # type: ignore[arg-type]
    pairs = zip(jax.tree.leaves(usual.params), jax.tree.leaves(other.params), strict=True)
    assert any(not np.array_equal(one, two) for one, two in pairs)


@pytest.fixture(scope="module")
def usual() -> State:
    return run(spec.Optimizer(warmup_steps=2), 4)[0]


def test_norms_are_not_decayed() -> None:
    heavy = spec.Optimizer(warmup_steps=0, weight_decay=50.0, learning_rate=1e-3)
    light = spec.Optimizer(warmup_steps=0, weight_decay=0.0, learning_rate=1e-3)
    (decayed, _), (kept, _) = run(heavy, 1), run(light, 1)
    np.testing.assert_array_equal(decayed.params["norm"]["scale"], kept.params["norm"]["scale"])
    assert not np.array_equal(decayed.params["embedding"]["embedding"], kept.params["embedding"]["embedding"])


def test_the_seed_gives_the_initial_weights() -> None:
    rule = make_optimizer(spec.Optimizer(), STEPS)
    one, same, other = (
        initial_state(MODEL, VOCABULARY, rule, seed).params["embedding"]["embedding"] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
