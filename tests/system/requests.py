"""Launch requests that the system tests share."""

from __future__ import annotations

from typing import Any

ARITHMETIC = {
    "name": "sums",
    "dataset": {"generator": "arithmetic", "options": {"seed": 5, "items": 20, "split": "heldout"}},
    "scorer": "exact_match",
    "direction": "maximize",
}
"""A benchmark that the launch defines."""


def toy(experiment: str = "system", **values: Any) -> dict[str, Any]:
    """A run of the toy recipe, which walks towards a number and is evaluated on the way."""
    spec = {"steps": 20, "checkpoint_every": 5, "benchmark": ARITHMETIC, **values}
    return {"recipe": "toy", "experiment": experiment, "spec": spec}
