"""Named starting points of the `lm` recipe, with what they reach and how long they take."""

from __future__ import annotations

from collections.abc import Mapping

from runledger.tracker.spec import JsonObject

# Adds numbers of two and three digits, column by column. On 2 CPU cores about a minute.
ARITHMETIC: JsonObject = {
    "model": {"layers": 2, "width": 96, "heads": 4, "key_value_heads": 4, "hidden": 256},
    "tokenizer": {"vocabulary": 512},
    "data": {
        "dataset": {
            "generator": "arithmetic",
            "options": {"split": "train", "items": 20_000, "operations": ["+"]},
        },
        "sequence_length": 52,
    },
    "optimizer": {"learning_rate": 3e-3, "warmup_steps": 50, "final_fraction": 0.05},
    "training": {"steps": 600, "batch_size": 64},
    "evaluation": {
        "benchmark": {
            "name": "arithmetic",
            "dataset": {
                "generator": "arithmetic",
                "options": {"split": "heldout", "items": 512, "operations": ["+"]},
            },
            "scorer": "exact_match",
            "direction": "maximize",
        },
        "batch_size": 512,
        "max_new_tokens": 48,
    },
    "checkpointing": {"every": 100},
}

# Python source, from its own standard library.
STDLIB: JsonObject = {
    "model": {"layers": 4, "width": 192, "heads": 4, "key_value_heads": 4, "hidden": 512},
    "tokenizer": {"vocabulary": 2048},
    "data": {
        "dataset": {"generator": "stdlib", "options": {"split": "train", "items": 4_000}},
        "sequence_length": 256,
        "rows": "packed",
    },
    "optimizer": {"learning_rate": 2e-3, "warmup_steps": 40},
    "training": {"steps": 300, "batch_size": 8},
    "evaluation": {
        "benchmark": {
            "name": "stdlib",
            "dataset": {"generator": "stdlib", "options": {"split": "heldout", "items": 200}},
            "scorer": "loss",
            "direction": "minimize",
        },
        "batch_size": 16,
    },
    "checkpointing": {"every": 100},
}

PRESETS: Mapping[str, JsonObject] = {"arithmetic": {"spec": ARITHMETIC}, "stdlib": {"spec": STDLIB}}
