"""How the overhead is worked out of paired blocks."""

from __future__ import annotations

import random

from tests.benchmarks.overhead import evaluate
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
    )


def test_pairs_show_what_a_wandering_machine_would_hide() -> None:
    found = evaluate(report(logging_costs=0.004))

    assert 0.35 < found.median.value < found.median.upper95 < 0.45
    assert 0.35 < found.mean.value < found.mean.upper95 < 0.45
    assert 19 < found.step_ms < 21
    assert 70 < found.microseconds < 90
    assert round(found.writer_microseconds, 6) == 50.0


def test_what_costs_nothing_costs_nothing() -> None:
    found = evaluate(report(logging_costs=0.0))
    assert found.median.value < 0.05 < 0.1 > found.median.upper95


def test_a_hundred_scalars_are_logged() -> None:
    assert len(set(NAMES)) == 100
