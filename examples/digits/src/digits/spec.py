"""What a run of this recipe may say. Every key has an effect, and an unknown key is refused."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from runledger import BenchmarkRef

Count = Annotated[int, msgspec.Meta(ge=1)]


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    benchmark: BenchmarkRef | None = None
    """Held-out digits, as `python -m digits.heldout` writes them; without them nothing is evaluated."""
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    """Of the first weights, of dropout and of the order of the data."""
    width: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 128
    """Units of the hidden layer."""
    activation: Literal["gelu", "relu"] = "gelu"
    """Behind the hidden layer."""
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.1
    """Share of hidden units that is left out of each step."""
    learning_rate: Annotated[float, msgspec.Meta(gt=0)] = 0.003
    """Of AdamW, at the first step; it falls to nothing at the last one."""
    batch_size: Count = 64
    """Digits a step."""
    steps: Count = 600
    """Optimizer updates."""
    boundary_every: Count = 200
    """After so many steps it is evaluated, and a checkpoint saved; after the last one always."""
