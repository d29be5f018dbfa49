"""scikit-learn's 1,797 digits of 8 x 8 grey values, in two parts that share nothing.

Every fifth digit is held out. A held-out digit travels as an item of a benchmark: its grey values as the
prompt, its label as the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from runledger import Item, Trace
from sklearn.datasets import load_digits

SIDE = 8
CLASSES = 10
BRIGHTEST = 16.0
HELD_OUT_EVERY = 5


class Examples(NamedTuple):
    pixels: NDArray[np.float32]
    """[N, SIDE * SIDE], from 0 to 1."""
    labels: NDArray[np.int32]
    """[N]"""


def read(part: Literal["train", "heldout"]) -> Examples:
    found = load_digits()
    is_held_out = np.arange(len(found.target)) % HELD_OUT_EVERY == 0
    chosen = is_held_out if part == "heldout" else ~is_held_out
    return Examples(
        (found.data[chosen] / BRIGHTEST).astype(np.float32), found.target[chosen].astype(np.int32)
    )


def as_items(examples: Examples) -> list[Trace]:
    grey = np.round(examples.pixels * BRIGHTEST).astype(int)
    return [
        Trace(id=f"heldout-{index:03}", prompt=" ".join(map(str, row)), answer=str(label))
        for index, (row, label) in enumerate(zip(grey, examples.labels, strict=True))
    ]


def of_items(items: Sequence[Item]) -> Examples:
    """Raises ValueError for an item that is no digit."""
    pixels = np.zeros((len(items), SIDE * SIDE), np.float32)
    labels = np.zeros(len(items), np.int32)
    for row, item in enumerate(items):
        grey = item.prompt.split() if isinstance(item, Trace) else []
        if not isinstance(item, Trace) or len(grey) != SIDE * SIDE:
            raise ValueError(f"item {item.id!r} has not {SIDE * SIDE} grey values")
        pixels[row] = np.array(grey, np.float32) / BRIGHTEST
        labels[row] = int(item.answer)
    return Examples(pixels, labels)


def batch_of(examples: Examples, size: int, seed: int, step: int) -> Examples:
    """A function of data, seed and step alone, so that the step is the whole position in the data."""
    chosen = np.random.default_rng((seed, step)).integers(len(examples.labels), size=size)
    return Examples(examples.pixels[chosen], examples.labels[chosen])
