"""One decoder, driven by its spec: RMSNorm, rotary positions, grouped-query attention, SwiGLU.

Weights are float32; activations have the spec's compute dtype, norms and logits are float32.
Shapes: B rows, T tokens, S cache slots, D width, N heads, K key-value heads, H head width.
The layers are unrolled: on CPU a scan over stacked layers is slower.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx

from runledger.trainer.lm import spec

Cache: TypeAlias = tuple[tuple[jax.Array, jax.Array], ...]
"""Keys and values of each layer, [B, S, K, H]."""


class Decoder(nnx.Module):
    def __init__(self, model: spec.Model, vocabulary: int, *, rngs: nnx.Rngs) -> None:
        self.embedding = nnx.Embed(
            vocabulary,
            model.width,
            dtype=jnp.dtype(model.compute_dtype),
            embedding_init=nnx.initializers.normal(model.width**-0.5),
            rngs=rngs,
        )
        self.layers = nnx.List([Layer(model, rngs=rngs) for _ in range(model.layers)])
        self.norm = _norm(model, model.width, rngs)
        self.head = None if model.tied_embeddings else _linear(model, model.width, vocabulary, 1.0, rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Logits [B, T, V] of the token after each of `tokens` [B, T], whose rows begin at position 0."""
        positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, positions)
        return self.logits(x)

    def extend(
        self, tokens: jax.Array, positions: jax.Array, mask: jax.Array, cache: Cache, start: jax.Array | int
    ) -> tuple[jax.Array, Cache]:
        """Logits [B, V] after the last of `tokens`, and the cache with these written from slot `start` on.

        `mask` [B, T, S] is true where a token may look at a slot.
        """
        x = self.embedding(tokens)
        grown = []
        for layer, slots in zip(self.layers, cache, strict=True):
            x, slots = layer.extend(x, positions, mask, slots, start)
            grown.append(slots)
        return self.logits(x[:, -1]), tuple(grown)

    def logits(self, x: jax.Array) -> jax.Array:
        x = self.norm(x)
        logits = _flat(self.embedding.attend, x) if self.head is None else self.head(x)
        return logits.astype(jnp.float32)


class Layer(nnx.Module):
    def __init__(self, model: spec.Model, *, rngs: nnx.Rngs) -> None:
        self.attention_norm = _norm(model, model.width, rngs)
        self.attention = Attention(model, rngs=rngs)
        self.feed_forward_norm = _norm(model, model.width, rngs)
        self.feed_forward = FeedForward(model, rngs=rngs)

    def __call__(self, x: jax.Array, positions: jax.Array) -> jax.Array:
        x = x + self.attention(self.attention_norm(x), positions)
        return x + self.feed_forward(self.feed_forward_norm(x))

    def extend(
        self,
        x: jax.Array,
        positions: jax.Array,
        mask: jax.Array,
        slots: tuple[jax.Array, jax.Array],
        start: jax.Array | int,
    ) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        attended, slots = self.attention.extend(self.attention_norm(x), positions, mask, slots, start)
        x = x + attended
        return x + self.feed_forward(self.feed_forward_norm(x)), slots


class Attention(nnx.Module):
    def __init__(self, model: spec.Model, *, rngs: nnx.Rngs) -> None:
        self.head_width = model.width // model.heads
        self.theta = model.rope_theta
        self.implementation = model.attention
        narrow = model.key_value_heads * self.head_width
        self.query = _linear(model, model.width, model.width, 1.0, rngs)
        self.key = _linear(model, model.width, narrow, 1.0, rngs)
        self.value = _linear(model, model.width, narrow, 1.0, rngs)
        self.out = _linear(model, model.width, model.width, _residual_scale(model), rngs)

    def __call__(self, x: jax.Array, positions: jax.Array) -> jax.Array:
        query, key, value = self._project(x, positions)
        attended = jax.nn.dot_product_attention(
            query, key, value, is_causal=True, implementation=self.implementation
        )
        return self.out(attended.reshape(x.shape))

    def extend(
        self,
        x: jax.Array,
        positions: jax.Array,
        mask: jax.Array,
        slots: tuple[jax.Array, jax.Array],
        start: jax.Array | int,
    ) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        query, key, value = self._project(x, positions)
        keys = jax.lax.dynamic_update_slice_in_dim(slots[0], key, start, axis=1)
        values = jax.lax.dynamic_update_slice_in_dim(slots[1], value, start, axis=1)
        attended = jax.nn.dot_product_attention(query, keys, values, mask=mask[:, None], implementation="xla")
        return self.out(attended.reshape(x.shape)), (keys, values)

    def _project(self, x: jax.Array, positions: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        split = (*x.shape[:-1], -1, self.head_width)
        query = rotate(self.query(x).reshape(split), positions, self.theta)
        key = rotate(self.key(x).reshape(split), positions, self.theta)
        return query, key, self.value(x).reshape(split)


class FeedForward(nnx.Module):
    def __init__(self, model: spec.Model, *, rngs: nnx.Rngs) -> None:
        self.gate = _linear(model, model.width, model.hidden, 1.0, rngs)
        self.up = _linear(model, model.width, model.hidden, 1.0, rngs)
        self.down = _linear(model, model.hidden, model.width, _residual_scale(model), rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.down(jax.nn.silu(self.gate(x)) * self.up(x))


def rotate(x: jax.Array, positions: jax.Array, theta: float) -> jax.Array:
    """Rotary position embedding (Su et al. 2021) of `x` [B, T, N, H], first half against second half."""
    half = x.shape[-1] // 2
    frequencies = theta ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angles = positions[..., None, None].astype(jnp.float32) * frequencies
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    turned = jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
    return turned.astype(x.dtype)


def empty_cache(model: spec.Model, rows: int, slots: int) -> Cache:
    shape = (rows, slots, model.key_value_heads, model.width // model.heads)
    zeros = jnp.zeros(shape, jnp.dtype(model.compute_dtype))
    return tuple((zeros, zeros) for _ in range(model.layers))


class Linear(nnx.Linear):
    """A dense layer over the last axis, all other axes folded into one."""

    def __call__(self, inputs: jax.Array, out_sharding: Any = None) -> jax.Array:
        return _flat(lambda x: super(Linear, self).__call__(x, out_sharding), inputs)


def _flat(apply: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """`apply` on [B * T, D]: on CPU the gradient of a product of two axes less is twice as fast."""
    return apply(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)


def _linear(model: spec.Model, width: int, out: int, scale: float, rngs: nnx.Rngs) -> Linear:
    init = nnx.initializers.normal(scale * width**-0.5)
    return Linear(
        width, out, use_bias=False, dtype=jnp.dtype(model.compute_dtype), kernel_init=init, rngs=rngs
    )


def _norm(model: spec.Model, width: int, rngs: nnx.Rngs) -> nnx.RMSNorm:
    return nnx.RMSNorm(width, epsilon=model.norm_epsilon, dtype=jnp.dtype(model.compute_dtype), rngs=rngs)


def _residual_scale(model: spec.Model) -> float:
    """GPT-2's: what is added to the residual stream is scaled down by the number of additions."""
    return 1.0 / math.sqrt(2 * model.layers)
