"""The network: grey values to a number for each digit."""

from __future__ import annotations

import jax
from flax import linen as nn

from digits.data import CLASSES


class Classifier(nn.Module):
    width: int
    activation: str
    dropout: float

    @nn.compact
    def __call__(self, pixels: jax.Array, is_training: bool = False) -> jax.Array:
        """[N, SIDE * SIDE] to logits [N, CLASSES]."""
        activate = nn.gelu if self.activation == "gelu" else nn.relu
        hidden = activate(nn.Dense(self.width)(pixels))
        hidden = nn.Dropout(self.dropout, deterministic=not is_training)(hidden)
        logits: jax.Array = nn.Dense(CLASSES)(hidden)
        return logits
