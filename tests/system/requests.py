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
TRACES = {"generator": "arithmetic", "options": {"split": "train", "items": 500}}


def toy(experiment: str = "system", **values: Any) -> dict[str, Any]:
    """A run of the toy recipe, which walks towards a number and is evaluated on the way."""
    spec = {"steps": 20, "checkpoint_every": 5, "benchmark": ARITHMETIC, **values}
    return {"recipe": "toy", "experiment": experiment, "spec": spec}


def tiny_lm(experiment: str = "system", steps: int = 1500, every: int = 300) -> dict[str, Any]:
    """A language model that trains in seconds, slow enough to be killed in the middle."""
    spec = {
        "model": {"layers": 1, "width": 32, "heads": 2, "key_value_heads": 2, "hidden": 64},
        "tokenizer": {"vocabulary": 300},
        "data": {"dataset": TRACES, "sequence_length": 128},
        "training": {"steps": steps, "batch_size": 16},
        "evaluation": {"benchmark": ARITHMETIC, "batch_size": 20, "max_new_tokens": 32},
        "checkpointing": {"every": every},
    }
    return {"recipe": "lm", "experiment": experiment, "spec": spec}
