"""The decoder looks back only, and says the same with and without its cache."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from runledger.trainer.lm import spec
from runledger.trainer.lm.model import Cache, Decoder, empty_cache, rotate

VOCABULARY = 40
MODELS = {
    "grouped": spec.Model(layers=2, width=16, heads=4, key_value_heads=2, hidden=24),
    "untied": spec.Model(layers=1, width=16, heads=2, key_value_heads=2, hidden=24, tied_embeddings=False),
}
TOKENS = np.random.default_rng(0).integers(0, VOCABULARY, (3, 12)).astype(np.int32)


def decoder(model: spec.Model, seed: int = 0) -> Decoder:
    return Decoder(model, VOCABULARY, rngs=nnx.Rngs(seed))


@pytest.mark.parametrize("name", MODELS)
def test_a_token_sees_nothing_that_follows_it(name: str) -> None:
    network = decoder(MODELS[name])
    other = TOKENS.copy()
    other[:, 7:] = (other[:, 7:] + 1) % VOCABULARY
    one, two = network(jnp.asarray(TOKENS)), network(jnp.asarray(other))
    np.testing.assert_allclose(one[:, :7], two[:, :7], atol=1e-6)
    assert not np.allclose(one[:, 7:], two[:, 7:], atol=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_one_token_at_a_time_from_the_cache_gives_the_same_logits(name: str) -> None:
    model = MODELS[name]
    network = decoder(model)
    whole = network(jnp.asarray(TOKENS))
    rows, length = TOKENS.shape

    @jax.jit
    def extend(tokens: jax.Array, cache: Cache, slot: jax.Array) -> tuple[jax.Array, Cache]:
        mask = jnp.broadcast_to(jnp.arange(length) <= slot, (rows, 1, length))
        return network.extend(tokens, jnp.full((rows, 1), slot), mask, cache, slot)

    cache = empty_cache(model, rows, length)
    for slot in range(length):
        logits, cache = extend(TOKENS[:, slot, None], cache, slot)
        np.testing.assert_allclose(logits, whole[:, slot], atol=1e-5)


def test_rotation_depends_on_distance_alone() -> None:
    query, key = jax.random.normal(jax.random.key(0), (2, 1, 1, 1, 8))

    def product(at: int, other: int) -> float:
        return float(
            jnp.sum(rotate(query, jnp.array([[at]]), 100.0) * rotate(key, jnp.array([[other]]), 100.0))
        )

    assert product(9, 4) == pytest.approx(product(25, 20), rel=1e-4)
    assert product(9, 4) != pytest.approx(product(9, 5), rel=1e-2)
    assert product(0, 0) == pytest.approx(float(jnp.sum(query * key)), rel=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"rope_theta": 10.0},
        {"norm_epsilon": 1.0},
        {"compute_dtype": "bfloat16"},
    ],
)
def test_a_key_without_weights_of_its_own_changes_what_is_computed(change: dict[str, object]) -> None:
    base = MODELS["untied"]
    other = spec.Model(**{**{name: getattr(base, name) for name in base.__struct_fields__}, **change})
    one, two = decoder(base)(jnp.asarray(TOKENS)), decoder(other)(jnp.asarray(TOKENS))
    assert one.dtype == two.dtype == jnp.float32
    assert not np.array_equal(one, two)


def test_weights_are_float32_whatever_is_computed_in() -> None:
    network = decoder(spec.Model(width=16, heads=2, key_value_heads=2, compute_dtype="bfloat16"))
    assert {leaf.dtype for leaf in jax.tree.leaves(nnx.state(network))} == {jnp.dtype("float32")}
