"""One training step, compiled once: state and batch in, state and one packed vector of metrics out.

The state is a pytree of plain dictionaries (NNX objects only at the edges: dispatching them costs
milliseconds a step) and is donated. The learning rate is read inside the step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.stages import Compiled

from runledger.trainer.lm import spec
from runledger.trainer.lm.data import Rows
from runledger.trainer.lm.model import Decoder

Params: TypeAlias = Any
"""Nested dictionaries of float32 arrays, named as the modules are."""

METRICS = ("loss", "grad_norm", "learning_rate", "tokens")
"""What the packed vector of a step holds, in this order."""


class State(NamedTuple):
    """All that the next step reads, but for the data."""

    step: jax.Array
    params: Params
    optimizer: optax.OptState


Step: TypeAlias = Callable[[State, Rows], tuple[State, jax.Array]]


class Network(NamedTuple):
    """The decoder split into its structure and, apart, its params."""

    structure: nnx.GraphDef[Decoder]
    shapes: nnx.State[Any, Any]

    def __call__(self, params: Params) -> Decoder:
        """The decoder with these params; to be called while tracing."""
        state = jax.tree.map(lambda leaf: leaf, self.shapes)
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(self.structure, state)


def make_network(model: spec.Model, vocabulary: int) -> Network:
    decoder = nnx.eval_shape(lambda: Decoder(model, vocabulary, rngs=nnx.Rngs(0)))
    return Network(*nnx.split(decoder))


def make_optimizer(optimizer: spec.Optimizer, steps: int) -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(optimizer.clip_norm),
        optax.adamw(
            make_schedule(optimizer, steps),
            b1=optimizer.beta1,
            b2=optimizer.beta2,
            weight_decay=optimizer.weight_decay,
            mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim >= 2, params),
        ),
    )


def make_schedule(optimizer: spec.Optimizer, steps: int) -> optax.Schedule:
    """Learning rate by the number of steps done: from near zero up, then down to the final fraction."""
    peak, warmup = optimizer.learning_rate, optimizer.warmup_steps
    rest = max(steps - warmup, 1)
    match optimizer.schedule:
        case "constant":
            after = optax.constant_schedule(peak)
        case "linear":
            after = optax.linear_schedule(peak, peak * optimizer.final_fraction, rest)
        case "cosine":
            after = optax.cosine_decay_schedule(peak, rest, alpha=optimizer.final_fraction)
    if warmup == 0:
        return after
    return optax.join_schedules(
        [optax.linear_schedule(peak / warmup, peak, warmup - 1 or 1), after], [warmup]
    )


def initial_state(
    model: spec.Model, vocabulary: int, optimizer: optax.GradientTransformation, seed: int
) -> State:
    @jax.jit
    def make() -> State:
        params = nnx.to_pure_dict(nnx.state(Decoder(model, vocabulary, rngs=nnx.Rngs(seed))))
        return State(jnp.zeros((), jnp.int32), params, optimizer.init(params))

    state: State = make()
    return state


def compile_step(
    network: Network,
    optimizer: optax.GradientTransformation,
    schedule: optax.Schedule,
    state: State,
    batch: Rows,
) -> Step:
    """Compiled for states and batches of these shapes; a state that was passed in is gone.

    Shapes and types alone go into the compiler, so that a restored state runs the very same program.
    """

    def step(state: State, batch: Rows) -> tuple[State, jax.Array]:
        loss, gradients = jax.value_and_grad(lambda params: mean_loss(network(params), batch))(state.params)
        updates, moments = optimizer.update(gradients, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = jnp.stack(
            [loss, optax.tree.norm(gradients), schedule(state.step), jnp.sum(batch.learned)]
        ).astype(jnp.float32)
        return State(state.step + 1, params, moments), metrics

    shapes = jax.eval_shape(lambda *given: given, state, batch)
    compiled: Compiled = jax.jit(step, donate_argnums=0).lower(*shapes).compile()
    return compiled


def mean_loss(decoder: Decoder, batch: Rows) -> jax.Array:
    """Mean negative log-likelihood, in nats, of the learned targets of the batch."""
    losses = target_losses(decoder, batch)
    return jnp.sum(losses) / jnp.maximum(jnp.sum(batch.learned), 1)


def target_losses(decoder: Decoder, batch: Rows) -> jax.Array:
    """Negative log-likelihood of each target [B, L], zero where it is not learned."""
    tokens = jnp.asarray(batch.tokens)
    logits = decoder(tokens[:, :-1])
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, tokens[:, 1:])
    return jnp.where(batch.learned, losses, 0.0)
