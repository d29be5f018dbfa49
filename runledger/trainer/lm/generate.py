"""Greedy generation for many prompts at once: one compiled prefill and decode loop per prompt bucket.

Prompts are padded on the left to a multiple of `BUCKET`, so that every row writes the same cache slot;
a row's padding is masked out and its positions begin behind it. No sampling: the same params and the
same batch size give the same tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from runledger.trainer.lm import spec
from runledger.trainer.lm.model import Cache, empty_cache
from runledger.trainer.lm.step import Network, Params
from runledger.trainer.lm.tokenizer import Tokenizer

BUCKET = 16

Matrix: TypeAlias = NDArray[np.int32]


class Generated(NamedTuple):
    """The new tokens of a prompt without the end token; `ended` unless the limit cut it off."""

    tokens: list[int]
    ended: bool


class Decoding(NamedTuple):
    """What the decode loop carries: `tokens` [B, M] `filled` in part, the last not yet in `cache`."""

    filled: jax.Array
    tokens: jax.Array
    ended: jax.Array
    cache: Cache


class Generator:
    """Generates with whatever params it is given; compiled programs are kept from one call to the next."""

    def __init__(
        self, network: Network, model: spec.Model, tokenizer: Tokenizer, *, rows: int, max_new_tokens: int
    ) -> None:
        self._tokenizer = tokenizer
        self._rows = rows
        self._run = jax.jit(
            partial(_generate, network, model, tokenizer.end, tokenizer.padding, max_new_tokens)
        )

    def __call__(
        self, params: Params, prompts: Sequence[list[int]], on_batch: Callable[[int], None]
    ) -> list[Generated]:
        """In the order of `prompts`; `on_batch` is told how many are done."""
        results: dict[int, Generated] = {}
        for indices, width in self._batches(prompts):
            tokens, starts = self._padded([prompts[index] for index in indices], width)
            rows = np.asarray(self._run(params, tokens, starts))
            results |= {index: self._cut(row) for index, row in zip(indices, rows, strict=False)}
            on_batch(len(results))
        return [results[index] for index in range(len(prompts))]

    def _batches(self, prompts: Sequence[list[int]]) -> Iterator[tuple[list[int], int]]:
        """Indices of prompts of one bucket, at most `rows` at a time, and the bucket's width."""
        buckets: dict[int, list[int]] = {}
        for index, prompt in enumerate(prompts):
            buckets.setdefault(-(-len(prompt) // BUCKET) * BUCKET, []).append(index)
        for width, indices in sorted(buckets.items()):
            for start in range(0, len(indices), self._rows):
                yield indices[start : start + self._rows], width

    def _padded(self, prompts: Sequence[list[int]], width: int) -> tuple[Matrix, Matrix]:
        """Always `rows` rows, so that a bucket is compiled once; those left over repeat the first prompt."""
        tokens = np.full((self._rows, width), self._tokenizer.padding, np.int32)
        starts = np.zeros(self._rows, np.int32)
        for row in range(self._rows):
            prompt = prompts[row] if row < len(prompts) else prompts[0]
            starts[row] = width - len(prompt)
            tokens[row, starts[row] :] = prompt
        return tokens, starts

    def _cut(self, row: Matrix) -> Generated:
        tokens = row.tolist()
        if self._tokenizer.end in tokens:
            return Generated(tokens[: tokens.index(self._tokenizer.end)], ended=True)
        return Generated(tokens, ended=False)


def _generate(
    network: Network,
    model: spec.Model,
    end: int,
    padding: int,
    limit: int,
    params: Params,
    prompts: jax.Array,
    starts: jax.Array,
) -> jax.Array:
    """Up to `limit` new tokens of each row [B, limit]; after its end token a row is padding."""
    decoder = network(params)
    rows, width = prompts.shape
    slots = jnp.arange(width + limit)

    def is_visible(upto: jax.Array) -> jax.Array:
        """Which slots each query, by the slot it stands in, may look at: [B, T, S]."""
        return (slots >= starts[:, None, None]) & (slots <= upto[:, None])

    def append(decoding: Decoding, logits: jax.Array, cache: Cache) -> Decoding:
        token = jnp.where(decoding.ended, padding, jnp.argmax(logits, axis=-1))
        tokens = decoding.tokens.at[:, decoding.filled].set(token)
        return Decoding(decoding.filled + 1, tokens, decoding.ended | (token == end), cache)

    def extend(decoding: Decoding) -> Decoding:
        slot = width + decoding.filled - 1
        token = decoding.tokens[:, decoding.filled - 1, None]
        logits, cache = decoder.extend(
            token, (slot - starts)[:, None], is_visible(slot[None]), decoding.cache, slot
        )
        return append(decoding, logits, cache)

    def goes_on(decoding: Decoding) -> jax.Array:
        return (decoding.filled < limit) & ~jnp.all(decoding.ended)

    logits, cache = decoder.extend(
        prompts,
        jnp.maximum(slots[:width] - starts[:, None], 0),
        is_visible(slots[:width]),
        empty_cache(model, rows, width + limit),
        0,
    )
    empty = jnp.full((rows, limit), padding, jnp.int32)
    begun = append(Decoding(jnp.int32(0), empty, jnp.zeros(rows, jnp.bool_), cache), logits, cache)
    return jax.lax.while_loop(goes_on, extend, begun).tokens
