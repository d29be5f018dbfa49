"""The recipe `digits`: a small network that reads handwritten digits.

Importing this package loads no jax: the training is imported when a run begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runledger import Context, Recipe

from digits.spec import Spec

# About 5 seconds on 2 CPU cores; accuracy about 0.97 on the held-out digits.
SMALL: dict[str, Any] = {"steps": 600, "width": 128, "learning_rate": 0.003, "batch_size": 64}


def _train(spec: Spec, context: Context) -> Mapping[str, float]:
    from digits.training import train

    return train(spec, context)


recipe: Recipe[Spec] = Recipe(
    name="digits",
    version=1,
    spec=Spec,
    train=_train,
    presets={"small": {"spec": SMALL}},
    imports=("digits.training",),
    description="A small network that reads the handwritten digits of scikit-learn.",
)
