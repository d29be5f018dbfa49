"""Byte-level BPE trained on the spot: any text round-trips, every digit is a token of its own.

The same texts in the same order give the same bytes, so its digest can stand among the facts of a run.
It is saved inside each checkpoint; a resumed run reads it from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from runledger.trainer.lm import spec

PADDING = "<|padding|>"
END = "<|end|>"


class Tokenizer:
    """Texts to token ids and back. `end` closes every item, `padding` is never read."""

    def __init__(self, bpe: tokenizers.Tokenizer) -> None:
        self._bpe = bpe
        vocabulary: dict[str, int] = bpe.get_vocab()
        self.padding = vocabulary[PADDING]
        self.end = vocabulary[END]
        self.size: int = bpe.get_vocab_size()

    @property
    def digest(self) -> str:
        return hashlib.sha256(self._bpe.to_str().encode()).hexdigest()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text; what looks like a special token in it is read as plain text."""
        return [encoding.ids for encoding in self._bpe.encode_batch_fast(texts, add_special_tokens=False)]

    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """The text of each row, without special tokens."""
        texts: list[str] = self._bpe.decode_batch(rows, skip_special_tokens=True)
        return texts

    def save(self, file: Path) -> None:
        file.write_text(self._bpe.to_str(), encoding="utf-8")


def train(texts: Iterable[str], settings: spec.Tokenizer) -> Tokenizer:
    bpe = tokenizers.Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    bpe.encode_special_tokens = True
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocabulary,
        min_frequency=settings.min_frequency,
        special_tokens=[PADDING, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return Tokenizer(bpe)


def load(file: Path) -> Tokenizer:
    bpe = tokenizers.Tokenizer.from_file(str(file))
    bpe.encode_special_tokens = True
    return Tokenizer(bpe)
