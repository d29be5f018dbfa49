"""Fewer points that look the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runledger.projections.metrics.downsample import LEAST, pick

values = st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=200)


@given(values, st.integers(LEAST, 50), st.data())
def test_what_is_picked_is_ascending_and_within_the_limit(
    y: list[float], limit: int, data: st.DataObject
) -> None:
    x = data.draw(st.lists(st.integers(-100, 100), min_size=len(y), max_size=len(y)))
    chosen = pick(np.array(x, np.int64), np.array(y), limit)
    assert len(chosen) == min(len(y), len(chosen)) <= max(limit, 0)
    assert all(before < after for before, after in zip(chosen.tolist(), chosen.tolist()[1:], strict=False))
    assert all(0 <= index < len(y) for index in chosen.tolist())


@given(values)
def test_few_points_are_all_kept(y: list[float]) -> None:
    assert pick(np.arange(len(y)), np.array(y), 200).tolist() == list(range(len(y)))


def test_each_gap_is_marked_once() -> None:
    y = np.arange(100.0)
    y[10:20] = math.nan
    y[50] = math.inf
    chosen = pick(np.arange(100), y, 20).tolist()
    assert [index for index in chosen if not math.isfinite(y[index])] == [10, 50]


def test_nothing_but_gaps_is_thinned_out_too() -> None:
    y = np.where(np.arange(1000) % 2 == 0, math.nan, 1.0)
    assert len(pick(np.arange(1000), y, 40)) <= 40
    assert len(pick(np.arange(1000), np.full(1000, math.nan), 40)) == 1


@pytest.mark.parametrize("x", [np.zeros(1000, np.int64), np.arange(1000)[::-1].copy()])
def test_steps_that_do_not_grow_are_spread_by_index(x: np.ndarray) -> None:
    assert 48 <= len(pick(x, np.sin(np.arange(1000.0)), 50)) <= 50


def test_the_extremes_of_a_curve_survive() -> None:
    y = np.sin(np.linspace(0, 9, 10_000))
    y[4321], y[8765] = 7.0, -7.0
    chosen = pick(np.arange(10_000), y, 100)
    assert {4321, 8765} <= set(chosen.tolist())


@given(st.integers(0, 2**32), st.integers(LEAST, 60), st.integers(61, 2_000), st.booleans())
def test_first_last_least_and_greatest_are_kept_of_noise_as_well(
    seed: int, limit: int, count: int, has_gaps: bool
) -> None:
    chance = np.random.default_rng(seed)
    y = chance.normal(size=count)
    if has_gaps:
        y[chance.random(count) < 0.3] = math.nan
    finite = np.flatnonzero(np.isfinite(y))
    chosen = pick(np.sort(chance.integers(0, count, count)), y, limit)
    assert len(chosen) <= limit
    if len(finite):
        kept = {int(finite[0]), int(finite[-1]), int(np.nanargmin(y)), int(np.nanargmax(y))}
        assert kept <= set(chosen.tolist())
