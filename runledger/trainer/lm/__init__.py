"""The `lm` recipe: causal language models in Flax, trained and evaluated on traces or text.

Importing this package loads no jax: the loop is imported when a training begins.
"""

from __future__ import annotations

from collections.abc import Mapping

from runledger.trainer.lm.presets import PRESETS
from runledger.trainer.lm.spec import LmSpec
from runledger.trainer.recipe import Context, OwnScorer, Recipe

LOSS = OwnScorer(
    name="loss",
    version=1,
    direction="minimize",
    description="Nats per token of what is to be said, with perplexity and bits per byte beside it.",
)


def _train(spec: LmSpec, context: Context) -> Mapping[str, float]:
    from runledger.trainer.lm.loop import train

    return train(spec, context)


lm: Recipe[LmSpec] = Recipe(
    name="lm",
    version=1,
    spec=LmSpec,
    train=_train,
    presets=PRESETS,
    own_scorers=(LOSS,),
    imports=("runledger.trainer.lm.loop",),
    description="A causal language model trained from scratch on reasoning traces or text.",
)
