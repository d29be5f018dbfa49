"""What a recipe may ask is the same everywhere: in an attempt, and where there is no tracker."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from runledger.tracker.datasets import Trace
from runledger.trainer.attempt.context import AttemptContext
from runledger.trainer.errors import MisusedContext, ScorerNotHere
from runledger.trainer.recipe import Benchmark, Context
from runledger.trainer.scorers import exact_match
from runledger.trainer.scoring import Answer, Scorer
from runledger.trainer.standalone import StandaloneContext

ASKED = [name for name in vars(Context) if not name.startswith("_")]
ITEMS = '{"id":"a","prompt":"1+1=","answer":"2"}\n{"id":"b","prompt":"1+2=","answer":"3"}\n'


def signature(kind: type, name: str) -> str:
    return str(inspect.signature(getattr(kind, name)))


@pytest.mark.parametrize("name", ASKED)
def test_every_context_has_what_recipes_ask_for(name: str) -> None:
    if isinstance(getattr(Context, name), property):
        assert isinstance(getattr(AttemptContext, name), property)
        assert name in inspect.getsource(StandaloneContext.__init__)
        return
    assert signature(AttemptContext, name) == signature(Context, name)
    assert signature(StandaloneContext, name) == signature(Context, name)


def test_an_attempt_offers_recipes_nothing_that_a_trial_has_not() -> None:
    for_the_shell = {"check_all_saved", "record_environment"}
    assert {name for name in vars(AttemptContext) if not name.startswith("_")} == {*ASKED, *for_the_shell}


def benchmark(folder: Path, scorer: str = "exact_match", version: int = 1) -> Benchmark:
    path = folder / "items.jsonl"
    path.write_text(ITEMS)
    return Benchmark(benchmark_id="b", dataset="d", path=path, scorer=scorer, scorer_version=version)


def test_a_benchmark_gives_its_items(tmp_path: Path) -> None:
    assert benchmark(tmp_path).items() == [
        Trace(id="a", prompt="1+1=", answer="2"),
        Trace(id="b", prompt="1+2=", answer="3"),
    ]


def test_a_recipe_evaluates_in_one_call(tmp_path: Path) -> None:
    context = StandaloneContext(tmp_path / "kept", datasets={}, benchmarks=[benchmark(tmp_path)])
    answers = [
        Answer(item_id=item.id, expected=item.answer, prediction="2")
        for item in context.benchmark("b").items()
        if isinstance(item, Trace)
    ]
    (score,) = context.evaluate(3, "b", answers)
    assert (score.name, score.value, score.count) == ("exact_match", 0.5, 2)
    (told,) = context.evaluations
    assert (told.step, told.scores) == (3, (score,))
    assert told.predictions.read_text().count("\n") == 2


def test_scorers_are_those_that_were_given_and_the_included_ones(tmp_path: Path) -> None:
    mine = Scorer(name="mine", version=2, score=lambda expected, found: 0.5)
    of_mine = benchmark(tmp_path, "mine", 2)
    with_it = StandaloneContext(tmp_path / "1", datasets={}, benchmarks=[of_mine], scorers=[mine])
    assert with_it.scorer("b") is mine
    with pytest.raises(ScorerNotHere, match="scorer 'mine' version 2"):
        StandaloneContext(tmp_path / "2", datasets={}, benchmarks=[of_mine]).scorer("b")
    included = StandaloneContext(tmp_path / "3", datasets={}, benchmarks=[benchmark(tmp_path)])
    assert included.scorer("b") is exact_match


def test_what_the_spec_does_not_name_is_not_given(tmp_path: Path) -> None:
    context = StandaloneContext(tmp_path, datasets={})
    for ask in (context.dataset, context.benchmark, context.scorer):
        with pytest.raises(MisusedContext, match="the spec names no"):
            ask("x")
