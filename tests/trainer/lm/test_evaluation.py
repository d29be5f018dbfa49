"""Scores are what the prediction rows say, with intervals; what cannot be scored is refused."""

from __future__ import annotations

from pathlib import Path

import jax
import msgspec
import numpy as np
import pytest

from runledger.tracker.datasets import Item, Text
from runledger.tracker.events.base import Score
from runledger.trainer.lm import spec
from runledger.trainer.lm.data import encode_items
from runledger.trainer.lm.errors import BadData
from runledger.trainer.lm.evaluation import (
    ItemLoss,
    Prediction,
    extract_answer,
    make_examiner,
    ratio,
    transformed,
)
from runledger.trainer.lm.step import Network, Params, initial_state, make_network, make_optimizer
from runledger.trainer.lm.tokenizer import Tokenizer
from runledger.trainer.scorers import exact_match
from runledger.trainer.scoring import Scorer


@pytest.fixture(scope="module")
def network(tiny: spec.LmSpec, tokenizer: Tokenizer) -> Network:
    return make_network(tiny.model, tokenizer.size)


@pytest.fixture(scope="module")
def params(tiny: spec.LmSpec, tokenizer: Tokenizer) -> Params:
    return initial_state(tiny.model, tokenizer.size, make_optimizer(tiny.optimizer, 8), 0).params


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("1+1=2\n#### 2", "2"),
        ("#### 7 \nand more", "7"),
        ("#### 1\n#### 2", "2"),
        ("####2", None),
        ("no mark", None),
        ("#### ", ""),
    ],
)
def test_the_answer_stands_behind_the_last_mark(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


def test_a_ratio_of_equal_sizes_has_the_interval_of_a_mean() -> None:
    amounts = np.array([1.0, 2.0, 4.0, 5.0])
    score = ratio("loss", amounts, np.full(4, 2.0))
    error = np.std(amounts / 2, ddof=1) / np.sqrt(4)
    assert score.value == 1.5
    assert score.high == pytest.approx(1.5 + 1.959963984540054 * error)
    assert ratio("loss", amounts[:1], np.ones(1)).low is None
    grown = transformed("perplexity", score, np.exp)
    assert (grown.low, grown.value) == pytest.approx((np.exp(score.low or 0), np.exp(1.5)))


def examine(
    scorer: Scorer | None,
    items: list[Item],
    tiny: spec.LmSpec,
    network: Network,
    tokenizer: Tokenizer,
    params: Params,
    file: Path,
) -> tuple[list[Score], list[bytes]]:
    done: list[tuple[int, int]] = []
    examiner = make_examiner(scorer, items, tiny, network, tokenizer)
    scores = examiner(params, file, lambda now, of: done.append((now, of)))
    assert done[-1][0] == done[-1][1]
    return scores, file.read_bytes().splitlines()


def test_answers_are_scored_item_by_item(
    heldout: list[Item],
    tiny: spec.LmSpec,
    network: Network,
    tokenizer: Tokenizer,
    params: Params,
    tmp_path: Path,
) -> None:
    (score,), lines = examine(
        exact_match, heldout, tiny, network, tokenizer, params, tmp_path / "predictions"
    )
    rows = [msgspec.json.decode(line, type=Prediction) for line in lines]
    assert [row.item_id for row in rows] == [item.id for item in heldout]
    assert (score.name, score.count) == ("exact_match", len(heldout))
    assert score.value == np.mean([row.score for row in rows])
    assert {row.finish for row in rows} <= {"end", "length"}
    assert all(row.tokens <= tiny.evaluation.max_new_tokens for row in rows)
    assert all(extract_answer(row.prediction) == row.extracted for row in rows)


def test_loss_is_over_all_tokens_of_all_items(
    tiny: spec.LmSpec,
    network: Network,
    tokenizer: Tokenizer,
    params: Params,
    tmp_path: Path,
) -> None:
    """Also of an item longer than a row: each window is scored by itself."""
    texts: list[Item] = [Text(id="a", text="1+2=3"), Text(id="b", text="987654321 " * 12)]
    scores, lines = examine(None, texts, tiny, network, tokenizer, params, tmp_path / "losses")
    rows = [msgspec.json.decode(line, type=ItemLoss) for line in lines]
    nats = [_nats(item.tokens, tiny, network, params) for item in encode_items(texts, tokenizer)]
    tokens = [len(item.tokens) - 1 for item in encode_items(texts, tokenizer)]
    assert tokens[1] > tiny.data.sequence_length
    assert [(row.item_id, row.tokens, row.bytes) for row in rows] == [
        ("a", tokens[0], 5),
        ("b", tokens[1], 120),
    ]
    assert [row.score for row in rows] == pytest.approx(
        [n / t for n, t in zip(nats, tokens, strict=True)], rel=1e-5
    )
    loss = sum(nats) / sum(tokens)
    assert {score.name: score.value for score in scores} == pytest.approx(
        {"loss": loss, "perplexity": np.exp(loss), "bits_per_byte": sum(nats) / np.log(2) / 125}, rel=1e-5
    )


def _nats(tokens: list[int], tiny: spec.LmSpec, network: Network, params: Params) -> float:
    """The definition, window by window; what is behind a text does not change what is in it."""
    length = tiny.data.sequence_length
    logits_of = jax.jit(lambda row: network(params)(row))
    total = 0.0
    for start in range(0, len(tokens) - 1, length):
        window, targets = tokens[start : start + length], tokens[start + 1 : start + length + 1]
        row = np.zeros((1, length), np.int32)
        row[0, : len(window)] = window
        logits = np.asarray(logits_of(row), np.float64)[0, : len(targets)]
        likelihood = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        total -= likelihood[np.arange(len(targets)), targets].sum()
    return total


def test_the_loss_of_a_trace_leaves_its_prompt_out(
    heldout: list[Item],
    tiny: spec.LmSpec,
    network: Network,
    tokenizer: Tokenizer,
    params: Params,
    tmp_path: Path,
) -> None:
    _, lines = examine(None, heldout, tiny, network, tokenizer, params, tmp_path / "losses")
    rows = [msgspec.json.decode(line, type=ItemLoss) for line in lines]
    encoded = encode_items(heldout, tokenizer)
    assert [row.tokens for row in rows] == [len(item.tokens) - item.given for item in encoded]


def test_what_cannot_be_scored_is_refused(tiny: spec.LmSpec, network: Network, tokenizer: Tokenizer) -> None:
    with pytest.raises(BadData, match="'x' is text and has no answer"):
        make_examiner(exact_match, [Text(id="x", text="prose")], tiny, network, tokenizer)


def test_a_scorer_of_ones_own_grades_the_answers(
    heldout: list[Item],
    tiny: spec.LmSpec,
    network: Network,
    tokenizer: Tokenizer,
    params: Params,
    tmp_path: Path,
) -> None:
    """It gets nothing to read where there was no answer mark, and may leave items unscored."""
    length = Scorer(name="length", version=3, score=lambda expected, found: len(found) if found else None)
    (score,), lines = examine(length, heldout, tiny, network, tokenizer, params, tmp_path / "predictions")
    rows = [msgspec.json.decode(line, type=Prediction) for line in lines]
    assert [row.score for row in rows] == [len(row.extracted) if row.extracted else None for row in rows]
    assert (score.name, score.count + score.unscored) == ("length", len(heldout))
    assert score.unscored == sum(row.score is None for row in rows)
