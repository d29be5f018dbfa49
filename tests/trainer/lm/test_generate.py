"""Generation is greedy, the same for a prompt in whatever batch it stands, and ends where it should."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from runledger.trainer.lm import spec
from runledger.trainer.lm.generate import BUCKET, Generated, Generator
from runledger.trainer.lm.step import Network, Params, initial_state, make_network, make_optimizer
from runledger.trainer.lm.tokenizer import Tokenizer

LIMIT = 6


@pytest.fixture(scope="module")
def network(tiny: spec.LmSpec, tokenizer: Tokenizer) -> Network:
    return make_network(tiny.model, tokenizer.size)


@pytest.fixture(scope="module")
def params(tiny: spec.LmSpec, tokenizer: Tokenizer) -> Params:
    return initial_state(tiny.model, tokenizer.size, make_optimizer(tiny.optimizer, 8), 0).params


@pytest.fixture(scope="module")
def prompts(tokenizer: Tokenizer) -> list[list[int]]:
    """Of two buckets."""
    return tokenizer.encode(["12+3=", "5", "123456789123456789", "999-1="])


Likeliest: TypeAlias = Callable[[np.ndarray], jax.Array]
"""A row of tokens to the likeliest one after each."""


@pytest.fixture(scope="module")
def likeliest(network: Network, params: Params) -> Likeliest:
    return jax.jit(lambda row: jnp.argmax(network(params)(row)[0], axis=-1))


def one_by_one(likeliest: Likeliest, prompt: list[int], end: int) -> Generated:
    """The definition: the whole text through the decoder for each next token."""
    tokens = list(prompt)
    for _ in range(LIMIT):
        row = np.zeros((1, 32), np.int32)
        row[0, : len(tokens)] = tokens
        tokens.append(int(likeliest(row)[len(tokens) - 1]))
        if tokens[-1] == end:
            return Generated(tokens[len(prompt) : -1], ended=True)
    return Generated(tokens[len(prompt) :], ended=False)


@pytest.mark.parametrize("rows", [1, 3])
def test_generation_is_the_likeliest_token_each_time(
    tiny: spec.LmSpec,
    network: Network,
    params: Params,
    tokenizer: Tokenizer,
    prompts: list[list[int]],
    likeliest: Likeliest,
    rows: int,
) -> None:
    assert {-(-len(prompt) // BUCKET) for prompt in prompts} == {1, 2}
    generate = Generator(network, tiny.model, tokenizer, rows=rows, max_new_tokens=LIMIT)
    done: list[int] = []
    found = generate(params, prompts, done.append)
    assert found == [one_by_one(likeliest, prompt, tokenizer.end) for prompt in prompts]
    assert done[-1] == len(prompts)


def test_generation_ends_behind_the_end_token(
    tiny: spec.LmSpec, network: Network, params: Params, tokenizer: Tokenizer, prompts: list[list[int]]
) -> None:
    free = Generator(network, tiny.model, tokenizer, rows=4, max_new_tokens=LIMIT)(
        params, prompts, lambda done: None
    )
    token = free[0].tokens[1]
    ending = Ending(tokenizer, token)
    found = Generator(network, tiny.model, ending, rows=4, max_new_tokens=LIMIT)(  # type: ignore[arg-type]
        params, prompts, lambda done: None
    )
    for (tokens, ended), (all_tokens, _) in zip(found, free, strict=True):
        assert ended == (token in all_tokens)
        assert tokens == (all_tokens[: all_tokens.index(token)] if ended else all_tokens)


class Ending:
    """The tokenizer, but another token ends a text."""

    def __init__(self, tokenizer: Tokenizer, end: int) -> None:
        self.padding = tokenizer.padding
        self.end = end
