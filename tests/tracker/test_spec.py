"""Specs, limits and device requests."""

from __future__ import annotations

import math

import msgspec
import pytest

from runledger.tracker.spec import DeviceRequest, Limits, RunSpec


def test_params_are_the_scalars_of_the_values_under_their_paths() -> None:
    values = {"model": {"layers": 2, "tied": True}, "mix": ["a", {"weight": 0.5}], "limit": None, "none": []}
    assert RunSpec(recipe="lm", version=1, digest="d", values=values).params() == {
        "model.layers": 2,
        "model.tied": True,
        "mix.0": "a",
        "mix.1.weight": 0.5,
        "limit": None,
    }


@pytest.mark.parametrize(
    "fields",
    [{"attempts": 0}, {"wall_seconds": 0}, {"wall_seconds": math.nan}, {"no_progress_seconds": -1}],
)
def test_a_limit_that_limits_nothing_is_refused_when_read(fields: dict[str, float]) -> None:
    with pytest.raises(msgspec.ValidationError, match="limits"):
        msgspec.convert(fields, Limits)


@pytest.mark.parametrize("fields", [{"count": 0}, {"memory_bytes": -1}, {"kind": "quantum"}])
def test_a_device_that_cannot_be_is_refused_when_read(fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, DeviceRequest)
