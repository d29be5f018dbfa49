"""Benchmarks: defined once, and with at most one baseline at a time."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from runledger.tracker.aggregates.benchmark import DefineBenchmark, PromoteBaseline, WithdrawBaseline, fold
from runledger.tracker.aggregates.errors import (
    BaselineAlreadyPromoted,
    BaselineNotPromoted,
    BenchmarkAlreadyDefined,
)
from runledger.tracker.errors import BadInput, NotFound
from runledger.tracker.events.benchmark import BaselinePromoted, BaselineWithdrawn, BenchmarkDefined
from runledger.tracker.ids import BenchmarkId, Digest
from tests.tracker.deciders import given

B = BenchmarkId("b")
D = Digest("d" * 64)
DEFINED = BenchmarkDefined(
    name="sums", dataset=D, scorer="exact_match", scorer_version=1, direction="maximize", tolerance=0.01
)
DEFINE = DefineBenchmark(
    benchmark_id=B,
    name="sums",
    dataset=D,
    scorer="exact_match",
    scorer_version=1,
    direction="maximize",
    tolerance=0.01,
)
FIRST = BaselinePromoted(evaluation_id="e1", previous=None, reason="first")


def promote(evaluation_id: str, previous: str | None) -> PromoteBaseline:
    return PromoteBaseline(
        benchmark_id=B,
        evaluation_id=evaluation_id,
        previous=previous,
        evidence={"p": "0.01"},
        reason="better",
    )


def test_a_benchmark_is_defined_once_and_never_changes() -> None:
    given().when(DEFINE).then(DEFINED)
    given(DEFINED).when(DEFINE).then_nothing()
    given(DEFINED).when(replace(DEFINE, scorer_version=2)).refused_with(BenchmarkAlreadyDefined)


@pytest.mark.parametrize("tolerance", [-0.1, float("nan")])
def test_a_tolerance_is_not_negative(tolerance: float) -> None:
    given().when(replace(DEFINE, tolerance=tolerance)).refused_with(BadInput, r"\$\.tolerance")


def test_a_baseline_is_promoted_over_the_one_that_was_seen() -> None:
    given(DEFINED).when(promote("e1", None)).then(
        BaselinePromoted(evaluation_id="e1", previous=None, evidence={"p": "0.01"}, reason="better")
    )
    given(DEFINED, FIRST).when(promote("e2", "e1")).then(
        BaselinePromoted(evaluation_id="e2", previous="e1", evidence={"p": "0.01"}, reason="better")
    )


def test_promoting_twice_is_promoting_once() -> None:
    given(DEFINED, FIRST).when(promote("e1", None)).then_nothing()


def test_a_promoter_who_saw_another_baseline_is_refused() -> None:
    given(DEFINED, FIRST).when(promote("e3", None)).refused_with(BaselineAlreadyPromoted, "is e1")
    given(DEFINED).when(promote("e3", "e1")).refused_with(BaselineAlreadyPromoted, "is none")


def test_only_the_baseline_is_withdrawn() -> None:
    def withdraw(evaluation_id: str) -> WithdrawBaseline:
        return WithdrawBaseline(benchmark_id=B, evaluation_id=evaluation_id, reason="leak")

    given(DEFINED, FIRST).when(withdraw("e1")).then(BaselineWithdrawn(evaluation_id="e1", reason="leak"))
    given(DEFINED, FIRST).when(withdraw("e2")).refused_with(BaselineNotPromoted)
    given(DEFINED).when(withdraw("e1")).refused_with(BaselineNotPromoted)


def test_what_nobody_defined_is_not_found() -> None:
    given().when(promote("e1", None)).refused_with(NotFound, "no benchmark 'b'")


def test_the_state_knows_the_baseline_of_now() -> None:
    withdrawn = BaselineWithdrawn(evaluation_id="e1", reason="leak")
    for events, baseline in (
        ([DEFINED], None),
        ([DEFINED, FIRST], "e1"),
        ([DEFINED, FIRST, withdrawn], None),
    ):
        benchmark = fold(events)
        assert benchmark is not None
        assert benchmark.baseline == baseline


def test_a_stream_that_does_not_begin_with_its_definition_is_a_bug() -> None:
    with pytest.raises(ValueError, match="stands before"):
        fold([FIRST])
