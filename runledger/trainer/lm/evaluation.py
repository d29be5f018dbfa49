"""Held-out evaluation of a state: every item once, deterministically, one prediction row an item.

Scorers read what was generated greedily behind the answer mark; `loss`, which is this recipe's own, is
the negative log-likelihood. Each score has a 95 % interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import jax
import msgspec
import numpy as np

from runledger.tracker.datasets import Item, Text, Trace
from runledger.tracker.events.base import Score
from runledger.trainer.lm import spec
from runledger.trainer.lm.data import ANSWER_MARK, Encoded, Rows, encode_items, prompt_of
from runledger.trainer.lm.errors import BadData
from runledger.trainer.lm.generate import Generated, Generator
from runledger.trainer.lm.step import Network, Params, target_losses
from runledger.trainer.lm.tokenizer import Tokenizer
from runledger.trainer.scoring import QUANTILE, Scorer, score_item, summarize

OnDone: TypeAlias = Callable[[int, int], None]
"""Told after each batch how many items of how many are done."""


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """One item's row of a scorer that reads answers; `extracted` is None where there was no mark."""

    item_id: str
    prompt: str
    expected: str
    prediction: str
    extracted: str | None
    score: float | None
    """None where the scorer had none to give."""
    tokens: int
    finish: str
    """`end`, or `length` where generation was cut off."""


class ItemLoss(msgspec.Struct, frozen=True, kw_only=True):
    """One item's row of `loss`: `score` is nats per token."""

    item_id: str
    score: float
    tokens: int
    bytes: int


class Examiner(Protocol):
    def __call__(self, params: Params, predictions: Path, on_done: OnDone) -> list[Score]:
        """Scores, the scorer's own first; writes the prediction rows in the order of the items."""


def make_examiner(
    scorer: Scorer | None, items: Sequence[Item], lm: spec.LmSpec, network: Network, tokenizer: Tokenizer
) -> Examiner:
    """By loss where there is no scorer. Raises `BadData` for items that the scorer cannot score."""
    if scorer is None:
        return LossExaminer(items, lm, network, tokenizer)
    return AnswerExaminer(scorer, items, lm, network, tokenizer)


class AnswerExaminer:
    """Greedy generation, then the scorer on what stands behind the answer mark, or on nothing."""

    def __init__(
        self, scorer: Scorer, items: Sequence[Item], lm: spec.LmSpec, network: Network, tokenizer: Tokenizer
    ) -> None:
        self._scorer = scorer
        self._items = [_as_trace(item, scorer.name) for item in items]
        self._tokenizer = tokenizer
        self._prompts = tokenizer.encode([prompt_of(item) for item in self._items])
        evaluation = lm.evaluation
        self._generate = Generator(
            network,
            lm.model,
            tokenizer,
            rows=min(evaluation.batch_size, len(items)),
            max_new_tokens=evaluation.max_new_tokens,
        )

    def __call__(self, params: Params, predictions: Path, on_done: OnDone) -> list[Score]:
        total = len(self._items)
        generated = self._generate(params, self._prompts, lambda done: on_done(done, total))
        texts = self._tokenizer.decode([one.tokens for one in generated])
        rows = [self._row(*found) for found in zip(self._items, generated, texts, strict=True)]
        _write(rows, predictions)
        return [summarize(self._scorer.name, [row.score for row in rows])]

    def _row(self, item: Trace, generated: Generated, text: str) -> Prediction:
        extracted = extract_answer(text)
        return Prediction(
            item_id=item.id,
            prompt=item.prompt,
            expected=item.answer,
            prediction=text,
            extracted=extracted,
            score=score_item(self._scorer, item.id, item.answer, extracted or ""),
            tokens=len(generated.tokens),
            finish="end" if generated.ended else "length",
        )


class LossExaminer:
    """Negative log-likelihood of each item by itself, in windows of `data.sequence_length` targets."""

    def __init__(
        self, items: Sequence[Item], lm: spec.LmSpec, network: Network, tokenizer: Tokenizer
    ) -> None:
        self._sizes = [(item.id, _learned_bytes(item)) for item in items]
        encoded = encode_items(items, tokenizer)
        self._owners, self._rows = _windows(encoded, lm.data, tokenizer.padding)
        self._batch = lm.evaluation.batch_size
        self._sums = jax.jit(lambda params, rows: target_losses(network(params), rows).sum(axis=-1))

    def __call__(self, params: Params, predictions: Path, on_done: OnDone) -> list[Score]:
        nats = np.zeros(len(self._sizes))
        np.add.at(nats, self._owners, self._row_sums(params, on_done))
        tokens = np.zeros(len(self._sizes), np.int64)
        np.add.at(tokens, self._owners, self._rows.learned.sum(axis=-1))
        sizes = np.array([size for _, size in self._sizes])
        _write(self._item_losses(nats, tokens), predictions)
        loss = ratio("loss", nats, tokens)
        return [
            loss,
            transformed("perplexity", loss, math.exp),
            ratio("bits_per_byte", nats / math.log(2), sizes),
        ]

    def _row_sums(self, params: Params, on_done: OnDone) -> np.ndarray:
        sums = []
        total = len(self._owners)
        for start in range(0, total, self._batch):
            chosen = np.arange(start, start + self._batch)
            rows = Rows(
                self._rows.tokens.take(chosen, axis=0, mode="clip"),
                self._rows.learned.take(chosen, axis=0, mode="clip"),
            )
            sums.append(np.asarray(self._sums(params, rows), np.float64))
            on_done(min(start + self._batch, total), total)
        return np.concatenate(sums)[:total]

    def _item_losses(self, nats: np.ndarray, tokens: np.ndarray) -> list[ItemLoss]:
        return [
            ItemLoss(item_id=item_id, score=float(total / count), tokens=int(count), bytes=size)
            for (item_id, size), total, count in zip(self._sizes, nats, tokens, strict=True)
        ]


def extract_answer(text: str) -> str | None:
    """What stands behind the last answer mark, up to the end of its line."""
    _, mark, rest = text.rpartition(ANSWER_MARK)
    return rest.partition("\n")[0].strip() if mark else None


def ratio(name: str, amounts: np.ndarray, sizes: np.ndarray) -> Score:
    """Sum over sum, items drawn whole: the linearised interval of a ratio (Cochran 1977, section 6.4)."""
    count, value = len(amounts), float(amounts.sum() / sizes.sum())
    if count < 2:
        return Score(name=name, value=value, count=count)
    spread = math.sqrt(float(np.sum((amounts - value * sizes) ** 2)) * count / (count - 1))
    reach = QUANTILE * spread / float(sizes.sum())
    return Score(name=name, value=value, low=value - reach, high=value + reach, count=count, method="ratio")


def transformed(name: str, score: Score, grow: Callable[[float], float]) -> Score:
    """The score and its interval through a growing function."""
    low, high = (None if end is None else grow(end) for end in (score.low, score.high))
    return msgspec.structs.replace(score, name=name, value=grow(score.value), low=low, high=high)


def _as_trace(item: Item, scorer: str) -> Trace:
    if isinstance(item, Text):
        raise BadData(f"item {item.id!r} is text and has no answer: {scorer!r} cannot score it")
    return item


def _learned_bytes(item: Item) -> int:
    texts = (item.text,) if isinstance(item, Text) else (*item.steps, item.answer)
    return sum(len(text.encode()) for text in texts)


def _windows(items: Sequence[Encoded], data: spec.Data, padding: int) -> tuple[np.ndarray, Rows]:
    """Each item cut into rows, and the item of each row; targets count once, those of prompts never."""
    length = data.sequence_length
    pieces = [
        (index, start, item.tokens[start : start + length + 1], item.given)
        for index, item in enumerate(items)
        for start in range(0, max(len(item.tokens) - 1, 1), length)
    ]
    tokens = np.full((len(pieces), length + 1), padding, np.int32)
    learned = np.zeros((len(pieces), length), np.bool_)
    for row, (_, start, piece, given) in enumerate(pieces):
        tokens[row, : len(piece)] = piece
        learned[row, max(given - 1 - start, 0) : len(piece) - 1] = True
    return np.array([index for index, *_ in pieces]), Rows(tokens, learned)


def _write(rows: Iterable[msgspec.Struct], file: Path) -> None:
    with file.open("wb") as lines:
        lines.writelines(msgspec.json.encode(row) + b"\n" for row in rows)
