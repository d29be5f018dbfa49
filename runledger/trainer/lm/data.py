"""Items of a dataset to rows of tokens, and rows to the batch of a step.

A batch is a function of (rows, seed, step) alone, so the step is the whole position in the data. What
is not learned (padding, prompts) is masked out of the loss. No item is cut or left out silently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from grain import MapDataset
from numpy.typing import NDArray

from runledger.tracker.datasets import Item, Text, Trace, question_digest
from runledger.trainer.lm import spec
from runledger.trainer.lm.errors import BadData, Overlap
from runledger.trainer.lm.tokenizer import Tokenizer

ANSWER_MARK = "#### "

Tokens: TypeAlias = NDArray[np.int32]
Learned: TypeAlias = NDArray[np.bool_]


class Encoded(NamedTuple):
    """One item as tokens; the first `given` of them are its prompt."""

    item_id: str
    tokens: list[int]
    given: int


class Rows(NamedTuple):
    """`tokens` [R, L + 1] and, for the L targets of each row, whether they are `learned` [R, L]."""

    tokens: Tokens
    learned: Learned


def refuse_overlap(training: Sequence[Item], heldout: Sequence[Item]) -> None:
    """Raises `Overlap` where a held-out item has the id of a training item, or asks the same."""
    ids = {item.id for item in training}
    questions = {question_digest(item) for item in training}
    shared = [item.id for item in heldout if item.id in ids or question_digest(item) in questions]
    if shared:
        raise Overlap(shared, len(heldout))


def prompt_of(item: Trace) -> str:
    return f"{item.prompt}\n"


def completion_of(item: Trace) -> str:
    """What is to be said after the prompt: the steps, a line each, then the marked answer."""
    return "\n".join((*item.steps, ANSWER_MARK + item.answer))


def texts_of(items: Sequence[Item]) -> Iterator[str]:
    """All that the tokenizer is to know."""
    for item in items:
        if isinstance(item, Text):
            yield item.text
        else:
            yield prompt_of(item)
            yield completion_of(item)


def encode_items(items: Sequence[Item], tokenizer: Tokenizer) -> list[Encoded]:
    """Prompt and completion are encoded apart, so generation begins at the very tokens of training."""
    prompts = tokenizer.encode([prompt_of(item) if isinstance(item, Trace) else "" for item in items])
    rests = tokenizer.encode(
        [completion_of(item) if isinstance(item, Trace) else item.text for item in items]
    )
    return [
        Encoded(item.id, [*prompt, *rest, tokenizer.end], len(prompt))
        for item, prompt, rest in zip(items, prompts, rests, strict=True)
    ]


def make_rows(items: Sequence[Encoded], data: spec.Data, tokenizer: Tokenizer) -> Rows:
    if data.rows == "packed":
        return _pack(items, data)
    return _pad(items, data, tokenizer)


def order(rows: Rows, batch_size: int, seed: int) -> MapDataset[Rows]:
    """`order(...)[step - 1]` is the batch of a step; each epoch is shuffled anew."""
    source = MapDataset.range(len(rows.tokens)).seed(seed).shuffle().repeat()
    batches = source.batch(batch_size, batch_fn=np.asarray)
    return batches.map(lambda index: Rows(rows.tokens[index], rows.learned[index]))


def _pad(items: Sequence[Encoded], data: spec.Data, tokenizer: Tokenizer) -> Rows:
    """One item a row. The end token is its last target."""
    tokens = np.full((len(items), data.sequence_length + 1), tokenizer.padding, np.int32)
    learned = np.zeros((len(items), data.sequence_length), np.bool_)
    for row, item in enumerate(items):
        size = len(item.tokens)
        if size > data.sequence_length + 1:
            raise BadData(
                f"item {item.item_id!r} has {size} tokens, data.sequence_length is {data.sequence_length}"
            )
        tokens[row, :size] = item.tokens
        learned[row, _first_learned(item, data) : size - 1] = True
    return Rows(tokens, learned)


def _first_learned(item: Encoded, data: spec.Data) -> int:
    """Target i is token i + 1: the first token of a row is never a target."""
    return 0 if data.loss_on_prompts else max(item.given - 1, 0)


def _pack(items: Sequence[Encoded], data: spec.Data) -> Rows:
    """All items end to end, cut into rows that share one token with the next; what fills no row is dropped.

    Items of one row see each other: masking them apart buys nothing in pretraining and costs speed.
    """
    stream = np.concatenate([np.asarray(item.tokens, np.int32) for item in items])
    is_learned = np.concatenate([_is_learned(item, data) for item in items])
    length = data.sequence_length
    count = (len(stream) - 1) // length
    if count < 1:
        raise BadData(f"{len(stream)} tokens do not fill one row, data.sequence_length is {length}")
    starts = np.arange(count)[:, None] * length
    return Rows(stream[starts + np.arange(length + 1)], is_learned[starts + np.arange(1, length + 1)])


def _is_learned(item: Encoded, data: spec.Data) -> Learned:
    return np.arange(len(item.tokens)) >= (0 if data.loss_on_prompts else item.given)
