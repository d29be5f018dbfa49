"""How the overhead is worked out of paired blocks."""

from __future__ import annotations

import random

import numpy as np

from tests.benchmarks.overhead import evaluate, shift_of
from tests.benchmarks.overhead_training import NAMES, Block, Report


def report(logging_costs: float) -> Report:
    """A hundred pairs of blocks of ten steps of 20 ms, on a machine whose speed wanders by five percent."""
    noise = random.Random(7)
    speeds = [noise.uniform(0.95, 1.05) for _ in range(100)]
    none = [0.2 * speed * noise.uniform(0.999, 1.001) for speed in speeds]
    logged = [0.2 * speed * noise.uniform(0.999, 1.001) * (1 + logging_costs) for speed in speeds]
    return Report(
        steps=10,
        logged_steps=1010,
        none=[Block(seconds, seconds) for seconds in none],
        logged=[Block(seconds, seconds) for seconds in logged],
        writer_seconds=0.05,
        written_steps=1000,
    )


def test_pairs_show_what_a_wandering_machine_would_hide() -> None:
    found = evaluate(report(logging_costs=0.004))

    assert 0.35 < found.shift.value < found.shift.upper95 < 0.45
    assert 0.35 < found.mean.value < found.mean.upper95 < 0.45
    assert 19 < found.step_ms < 21
    assert 70 < found.microseconds < 90
    assert round(found.writer_microseconds, 1) == 50.0


def test_what_costs_nothing_costs_nothing() -> None:
    found = evaluate(report(logging_costs=0.0))
    assert found.shift.value < 0.05 < 0.1 > found.shift.upper95


def test_the_bound_holds_as_often_as_it_says_also_where_the_machine_has_hiccups() -> None:
    noise = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        quiet = noise.normal(0.005, 0.01, 60)
        hiccups = noise.choice((-0.2, 0.0, 0.2), 60, p=(0.05, 0.9, 0.05))
        held += shift_of(quiet + hiccups).upper95 >= 100 * np.expm1(0.005)
    assert 0.92 < held / 400 < 0.98


def test_too_few_pairs_bound_nothing() -> None:
    assert shift_of(np.array([0.01, 0.02])).upper95 == np.inf


def test_a_hundred_scalars_are_logged() -> None:
    assert len(set(NAMES)) == 100
