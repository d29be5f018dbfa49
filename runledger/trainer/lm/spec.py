"""The spec of the `lm` recipe: every key has an effect, an unknown key is refused.

What can be known to be wrong without data is refused in `__post_init__`; what needs data or a
tokenizer is refused by the part that reads it. No jax here: the API's schema comes from these types.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Count = Annotated[int, msgspec.Meta(ge=1)]
Fraction = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0.0)]
Positive = Annotated[float, msgspec.Meta(gt=0.0)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the parts of the spec."""


class Model(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The decoder; its vocabulary is the tokenizer's."""

    layers: Count = 4
    width: Count = 256
    heads: Count = 4
    key_value_heads: Count = 4
    """Less than `heads` is grouped-query attention."""
    hidden: Count = 1024
    """Width between the two halves of the gated feed-forward layer."""
    rope_theta: Positive = 10_000.0
    norm_epsilon: Positive = 1e-6
    tied_embeddings: bool = True
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """Weights and optimizer state are float32 always."""
    attention: Literal["xla", "cudnn"] = "xla"
    """`cudnn` needs an NVIDIA GPU and bfloat16."""

    def __post_init__(self) -> None:
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError("model.width must be a multiple of model.heads, with an even quotient")
        if self.heads % self.key_value_heads:
            raise ValueError("model.heads must be a multiple of model.key_value_heads")
        if self.attention == "cudnn" and self.compute_dtype != "bfloat16":
            raise ValueError('model.attention "cudnn" needs model.compute_dtype "bfloat16"')


class Tokenizer(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Byte-level BPE, trained on the dataset at the start of the run."""

    vocabulary: Annotated[int, msgspec.Meta(ge=260)] = 4096
    """At most so many tokens: 256 bytes, the special tokens, and merges."""
    min_frequency: Count = 2


class Data(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    dataset: Annotated[
        str,
        msgspec.Meta(
            description="Digest of the dataset to train on.", extra_json_schema={"x-runledger": "dataset"}
        ),
    ]
    sequence_length: Annotated[int, msgspec.Meta(ge=8)] = 256
    rows: Literal["items", "packed"] = "items"
    """`items`: one item a row, padded, too long ones refused. `packed`: items joined end to end and cut."""
    loss_on_prompts: bool = False
    """Whether the prompt of a trace is learned too; text is learned whole always."""


class Optimizer(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """AdamW with a linear warm-up; vectors (norms) are not decayed."""

    learning_rate: Positive = 1e-3
    warmup_steps: Annotated[int, msgspec.Meta(ge=0)] = 50
    schedule: Literal["constant", "linear", "cosine"] = "cosine"
    final_fraction: Fraction = 0.1
    """Learning rate at the last step, as a fraction of the highest. Not for `constant`."""
    beta1: Fraction = 0.9
    beta2: Fraction = 0.95
    weight_decay: NotNegative = 0.1
    clip_norm: Positive = 1.0


class Training(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    steps: Count = 1000
    batch_size: Count = 32
    """Rows a step."""


class Evaluation(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Held-out evaluation; always after the last step."""

    benchmark: Annotated[
        str | None,
        msgspec.Meta(
            description="Id of the benchmark to evaluate on.", extra_json_schema={"x-runledger": "benchmark"}
        ),
    ] = None
    before: bool = True
    """Also before the first step."""
    every: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Also after every so many steps; 0 is never."""
    batch_size: Count = 256
    max_new_tokens: Count = 128
    """Generation of an item ends there, with finish `length`. For scorers that read answers."""


class Checkpointing(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A checkpoint is saved before the first step and after the last one always."""

    every: Annotated[int, msgspec.Meta(ge=0)] = 100
    """And after every so many steps; 0 is never."""


class LmSpec(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A causal language model trained from scratch on reasoning traces or text."""

    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    """Of the initial weights and of the order of the data."""
    model: Model = Model()
    tokenizer: Tokenizer = Tokenizer()
    data: Data
    optimizer: Optimizer = Optimizer()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    checkpointing: Checkpointing = Checkpointing()

    def __post_init__(self) -> None:
        if self.optimizer.schedule != "constant" and self.optimizer.warmup_steps >= self.training.steps:
            raise ValueError("optimizer.warmup_steps must be less than training.steps")
        if self.evaluation.every and self.evaluation.benchmark is None:
            raise ValueError("evaluation.every needs an evaluation.benchmark")
