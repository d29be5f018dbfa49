"""The tokenizer is the same each time, loses nothing, and gives every digit a token."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runledger.tracker.datasets import Item
from runledger.trainer.lm import spec
from runledger.trainer.lm.data import texts_of
from runledger.trainer.lm.tokenizer import Tokenizer, load, train


def test_the_same_texts_give_the_same_bytes(learned: list[Item]) -> None:
    settings = spec.Tokenizer(vocabulary=300)
    once, again = (train(texts_of(learned), settings) for _ in range(2))
    other = train(texts_of(learned[:1]), settings)
    assert once.digest == again.digest != other.digest


UNTRAINED = train([], spec.Tokenizer(vocabulary=260))


@given(st.text())
def test_any_text_round_trips(text: str) -> None:
    assert UNTRAINED.decode(UNTRAINED.encode([text])) == [text]


def test_every_digit_is_a_token_and_words_are_merged(tokenizer: Tokenizer) -> None:
    number, word = tokenizer.encode(["8642", "####"])
    assert len(number) == 4
    assert len(word) < 4


def test_a_text_cannot_speak_special_tokens(tokenizer: Tokenizer) -> None:
    (ids,) = tokenizer.encode(["<|end|>"])
    assert tokenizer.end not in ids
    assert tokenizer.decode([[*ids, tokenizer.end]]) == ["<|end|>"]


def test_a_saved_tokenizer_is_the_same(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = load(tmp_path / "tokenizer.json")
    assert loaded.digest == tokenizer.digest
    assert loaded.encode(["<|end|> 12+30="]) == tokenizer.encode(["<|end|> 12+30="])


def test_the_vocabulary_is_no_larger_than_asked() -> None:
    words = ["a carried digit is written above the next column"] * 3
    small, large = (train(words, spec.Tokenizer(vocabulary=size)) for size in (262, 270))
    rare = train(words, spec.Tokenizer(vocabulary=270, min_frequency=10_000))
    assert (small.size, large.size, rare.size) == (262, 270, 258)
