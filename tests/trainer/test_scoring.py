"""Scores of one's own: an item has one, has none, or the scorer is told to be broken by its name."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from runledger.trainer.errors import BadScorer, MisusedContext, NotAScorer, ScorerChanged, ScorerFailed
from runledger.trainer.scorers import digest_of, exact_match, find, is_exact, is_same_number, load, numeric
from runledger.trainer.scoring import Answer, Scorer, mean, score_answers, share, summarize

ANSWERS = [
    Answer(item_id="a", expected="12", prediction="12", details={"rank": 1}),
    Answer(item_id="b", expected="12", prediction="1"),
    Answer(item_id="c", expected="", prediction="?"),
]
SHARED = Scorer(
    name="shared",
    version=1,
    score=lambda expected, found: len(set(expected) & set(found)) / len(expected) if expected else None,
)


def test_scorers_differ_on_how_a_number_is_written() -> None:
    assert [is_exact(" 12 ", "12"), is_exact("12", "012")] == [1.0, 0.0]
    assert [is_same_number("1200", "1,200.0"), is_same_number("12", "12x")] == [1.0, 0.0]


def test_every_answer_has_its_row_and_the_unscored_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "predictions.jsonl"
    (score,) = score_answers(SHARED, ANSWERS, file)
    rows = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    assert rows[0] == {"rank": 1, "item_id": "a", "expected": "12", "prediction": "12", "score": 1.0}
    assert [row["score"] for row in rows] == [1.0, 0.5, None]
    assert (score.name, score.value, score.count, score.unscored) == ("shared", 0.75, 2, 1)


def test_an_error_in_a_scorer_names_the_scorer_and_the_item(tmp_path: Path) -> None:
    broken = Scorer(name="broken", version=1, score=lambda expected, found: 1 / (len(found) - 1))
    with pytest.raises(ScorerFailed, match="scorer 'broken' failed on item 'b': ZeroDivisionError"):
        score_answers(broken, ANSWERS, tmp_path / "predictions.jsonl")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_no_score(value: float, tmp_path: Path) -> None:
    broken = Scorer(name="broken", version=1, score=lambda expected, found: value)
    with pytest.raises(ScorerFailed, match=f"'a': {value} is not a finite number"):
        score_answers(broken, ANSWERS, tmp_path / "predictions.jsonl")


def gives(value: object) -> Scorer:
    return Scorer(name="mine", version=1, score=lambda expected, found: value)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("value", ["0.5", [1.0], np.ones(2), {"score": 1}])
def test_what_a_scorer_gives_has_to_be_a_number(value: object, tmp_path: Path) -> None:
    with pytest.raises(ScorerFailed, match=r"scorer 'mine' failed on item 'a': .*not a number but"):
        score_answers(gives(value), ANSWERS, tmp_path / "predictions.jsonl")


def test_a_scorer_that_wants_to_end_the_process_only_ends_the_run(tmp_path: Path) -> None:
    leaving = Scorer(name="leaving", version=1, score=lambda expected, found: sys.exit(4))
    with pytest.raises(ScorerFailed, match="scorer 'leaving' failed on item 'a': SystemExit: 4"):
        score_answers(leaving, ANSWERS, tmp_path / "predictions.jsonl")


def test_details_are_written_as_the_rows_of_a_table(tmp_path: Path) -> None:
    file = tmp_path / "predictions.jsonl"
    details = {"margin": np.float32(0.5), "logits": np.arange(2), "loss": math.nan}
    score_answers(SHARED, [Answer(item_id="a", expected="1", prediction="1", details=details)], file)
    row = msgspec.json.decode(file.read_bytes())
    assert (row["margin"], row["logits"], row["loss"]) == (0.5, [0, 1], "NaN")


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (["12"], "not an Answer but a str"),
        ([Answer(item_id=3, expected="1", prediction="1")], "item_id of the answer to item 3: not a text"),  # type: ignore[arg-type]
        (
            [Answer(item_id="a", expected="1", prediction=1)],
            "prediction of the answer to item 'a': not a text",
        ),  # type: ignore[arg-type]
        ([ANSWERS[0], ANSWERS[0]], "item 'a' is answered twice"),
        (
            [Answer(item_id="a", expected="1", prediction="1", details={"model": object()})],
            "the row of item 'a' cannot be written",
        ),
    ],
)
def test_what_is_no_answer_is_not_blamed_on_the_scorer(
    answers: list[Answer], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(MisusedContext, match=problem):
        score_answers(SHARED, answers, tmp_path / "predictions.jsonl")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": "my scorer"}, "scorer 'my scorer': name: Expected `str` matching regex"),
        ({"version": 0}, "scorer 'mine': version: Expected `int` >= 1"),
        ({"direction": "up"}, "scorer 'mine': direction: Invalid enum value 'up'"),
        ({"score": 0.5}, "scorer 'mine': score: cannot be called: 0.5"),
    ],
)
def test_what_a_scorer_is_made_of_is_checked(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadScorer, match=problem):
        Scorer(**{"name": "mine", "version": 1, "score": is_exact, **fields})


def test_a_share_has_wilsons_interval() -> None:
    score = share("exact_match", 8, 10)
    z = 1.959963984540054
    middle = (0.8 + z * z / 20) / (1 + z * z / 10)
    reach = z * np.sqrt(0.8 * 0.2 / 10 + z * z / 400) / (1 + z * z / 10)
    assert (score.value, score.method) == (0.8, "wilson")
    assert (score.low, score.high) == pytest.approx((middle - reach, middle + reach))
    assert summarize("exact_match", [1.0] * 8 + [0.0] * 2) == score


def test_a_mean_has_a_bootstrapped_interval_that_is_the_same_each_time() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, size=400).tolist()
    score = mean("closeness", values)
    reach = 1.96 * np.std(values, ddof=1) / np.sqrt(len(values))
    assert score.method == "bootstrap"
    assert (score.low, score.high) == pytest.approx((score.value - reach, score.value + reach), abs=0.03)
    assert mean("closeness", values) == score


def test_there_is_no_interval_where_nothing_can_tell_it() -> None:
    same = summarize("closeness", [0.5, 0.5, None])
    assert (same.value, same.low, same.high, same.count, same.unscored) == (0.5, None, None, 2, 1)
    nothing = summarize("closeness", [None])
    assert math.isnan(nothing.value)
    assert (nothing.count, nothing.unscored) == (0, 1)


def test_a_scorer_is_loaded_as_it_was_announced() -> None:
    found = find("runledger.trainer.scorers:numeric")
    assert (found.name, found.version, found.direction) == ("numeric", 1, "maximize")
    assert load(found.reference, found.digest) is numeric
    assert found.digest != digest_of(exact_match, "runledger.trainer.scorers:exact_match")
    with pytest.raises(ScorerChanged, match="numeric has changed on this machine"):
        load(found.reference, "0" * 64)


def test_what_is_no_scorer_is_told() -> None:
    with pytest.raises(NotAScorer, match="a function is no scorer"):
        load("runledger.trainer.scorers:is_exact")
    assert "ModuleNotFoundError" in (find("absent:scorer").problem or "")
