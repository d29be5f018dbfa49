"""Rows keep every token, learn what they should, and a batch depends on data, seed and step alone."""

from __future__ import annotations

import numpy as np
import pytest

from runledger.tracker.datasets import Item, Text, Trace
from runledger.trainer.lm import spec
from runledger.trainer.lm.data import (
    Encoded,
    Rows,
    completion_of,
    encode_items,
    make_rows,
    order,
    refuse_overlap,
)
from runledger.trainer.lm.errors import BadData, Overlap
from runledger.trainer.lm.tokenizer import Tokenizer

TRACE = Trace(id="t", prompt="12+34=", steps=("2+4=6", "1+3=4"), answer="46")


def rows_of(items: list[Item], tokenizer: Tokenizer, data: spec.Data) -> Rows:
    return make_rows(encode_items(items, tokenizer), data, tokenizer)


def learned_text(rows: Rows, row: int, tokenizer: Tokenizer) -> str:
    return tokenizer.decode([rows.tokens[row, 1:][rows.learned[row]].tolist()])[0]


def test_a_trace_says_its_steps_then_its_answer() -> None:
    assert completion_of(TRACE) == "2+4=6\n1+3=4\n#### 46"


def test_only_what_follows_the_prompt_is_learned(tokenizer: Tokenizer) -> None:
    rows = rows_of([TRACE], tokenizer, spec.Data(dataset="d", sequence_length=64))
    assert learned_text(rows, 0, tokenizer) == completion_of(TRACE)
    targets = rows.tokens[0, 1:][rows.learned[0]]
    assert targets[-1] == tokenizer.end
    assert tokenizer.padding not in targets


def test_the_prompt_is_learned_where_the_spec_says_so(tokenizer: Tokenizer) -> None:
    data = spec.Data(dataset="d", sequence_length=64, loss_on_prompts=True)
    rows = rows_of([TRACE], tokenizer, data)
    assert learned_text(rows, 0, tokenizer) == "2+34=\n" + completion_of(TRACE)


def test_a_text_is_learned_whole(tokenizer: Tokenizer) -> None:
    text = Text(id="x", text="9 lives")
    rows = rows_of([text], tokenizer, spec.Data(dataset="d", sequence_length=64))
    assert learned_text(rows, 0, tokenizer) == " lives"


def test_an_item_longer_than_a_row_is_refused_by_name(tokenizer: Tokenizer) -> None:
    with pytest.raises(BadData, match=r"item 't' has \d+ tokens, data.sequence_length is 8"):
        rows_of([TRACE], tokenizer, spec.Data(dataset="d", sequence_length=8))


def test_packed_rows_hold_every_token_in_order(learned: list[Item], tokenizer: Tokenizer) -> None:
    data = spec.Data(dataset="d", sequence_length=16, rows="packed")
    encoded = encode_items(learned, tokenizer)
    rows = make_rows(encoded, data, tokenizer)
    stream = [token for item in encoded for token in item.tokens]
    kept = [rows.tokens[0, 0], *rows.tokens[:, 1:].ravel()]
    assert kept == stream[: len(kept)]
    assert len(stream) - len(kept) < 16
    given = np.concatenate([np.arange(len(item.tokens)) < item.given for item in encoded])
    assert np.array_equal(rows.learned.ravel(), ~given[1 : len(kept)])


def test_what_fills_no_packed_row_is_refused(tokenizer: Tokenizer) -> None:
    data = spec.Data(dataset="d", sequence_length=4096, rows="packed")
    with pytest.raises(BadData, match="do not fill one row"):
        rows_of([TRACE], tokenizer, data)


def numbered(count: int) -> Rows:
    return make_rows(
        [Encoded(str(number), [number, number], 0) for number in range(count)],
        spec.Data(dataset="d", sequence_length=8),
        padding_of(count),
    )


class padding_of:
    """A tokenizer of which `make_rows` asks nothing but its padding."""

    def __init__(self, padding: int) -> None:
        self.padding = padding


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    rows = numbered(10)
    forwards = [order(rows, 4, 7)[step].tokens[:, 0].tolist() for step in range(10)]
    again = order(rows, 4, 7)
    backwards = [again[step].tokens[:, 0].tolist() for step in reversed(range(10))]
    assert forwards == backwards[::-1]
    assert forwards != [order(rows, 4, 8)[step].tokens[:, 0].tolist() for step in range(10)]


def test_each_epoch_holds_every_row_once_in_another_order() -> None:
    batches = order(numbered(10), 5, 0)
    drawn = [row for step in range(4) for row in batches[step].tokens[:, 0].tolist()]
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == list(range(10))
    assert drawn[:10] != drawn[10:]


def test_a_benchmark_item_in_the_training_data_is_refused(learned: list[Item]) -> None:
    refuse_overlap(learned, [TRACE])
    by_id = Trace(id=learned[3].id, prompt="1+1=", answer="2")
    by_question = Trace(id="other", prompt=learned[4].prompt, answer="?")  # type: ignore[union-attr]
    with pytest.raises(Overlap, match=r"2 of 3 benchmark items .*, other") as refused:
        refuse_overlap(learned, [TRACE, by_id, by_question])
    assert refused.value.item_ids == (learned[3].id, "other")
