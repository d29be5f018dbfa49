"""Evaluations: one checkpoint on one benchmark, claimed like an attempt, ended once."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from runledger.tracker.aggregates import errors
from runledger.tracker.aggregates.evaluation import (
    Command,
    CompleteEvaluation,
    FailEvaluation,
    LoseEvaluation,
    RequestEvaluation,
    StartEvaluation,
    SupersedeEvaluation,
    fold,
)
from runledger.tracker.errors import NotFound
from runledger.tracker.events.base import Event, Score
from runledger.tracker.events.evaluation import (
    EvaluationCompleted,
    EvaluationFailed,
    EvaluationLost,
    EvaluationRequested,
    EvaluationStarted,
    EvaluationSuperseded,
)
from runledger.tracker.ids import Digest, EvaluationId
from tests.tracker.deciders import given

E = EvaluationId("e")
D = Digest("d" * 64)
REQUESTED = EvaluationRequested(run_id="r", step=5, checkpoint=D, benchmark_id="b", requested_by="me")
REQUEST = RequestEvaluation(
    evaluation_id=E, run_id="r", step=5, checkpoint=D, benchmark_id="b", requested_by="me"
)
STARTED = EvaluationStarted(attempt=1, worker="w", epoch=1)
START = StartEvaluation(evaluation_id=E, attempt=1, worker="w", epoch=1)
LOST = EvaluationLost(attempt=1, last_heartbeat_at=None)
LOSE = LoseEvaluation(evaluation_id=E, attempt=1)
SCORE = Score(name="loss", value=float("nan"), count=2)
COMPLETED = EvaluationCompleted(attempt=1, scores=(SCORE,), predictions=D, items=2)
COMPLETE = CompleteEvaluation(
    evaluation_id=E,
    attempt=1,
    scores=(Score(name="loss", value=float("nan"), count=2),),
    predictions=D,
    items=2,
)
FAILED = EvaluationFailed(attempt=1, error_class="ValueError", message="no")
FAIL = FailEvaluation(evaluation_id=E, attempt=1, error_class="ValueError", message="no")
SUPERSEDE = SupersedeEvaluation(evaluation_id=E, by="e2", reason="wrong scorer")


def test_an_evaluation_is_requested_once() -> None:
    given().when(REQUEST).then(REQUESTED)
    given(REQUESTED).when(REQUEST).then_nothing()
    given(REQUESTED).when(replace(REQUEST, step=6)).refused_with(errors.EvaluationAlreadyRequested)


@pytest.mark.parametrize("command", [START, LOSE, COMPLETE, FAIL, SUPERSEDE])
def test_what_nobody_requested_is_not_found(command: Command) -> None:
    given().when(command).refused_with(NotFound, "no evaluation 'e'")


def test_one_worker_claims_it() -> None:
    given(REQUESTED).when(START).then(STARTED)
    given(REQUESTED, STARTED).when(START).then_nothing()
    given(REQUESTED, STARTED).when(replace(START, worker="v")).refused_with(errors.EvaluationAlreadyStarted)
    given(REQUESTED).when(replace(START, attempt=2)).refused_with(errors.EvaluationAttemptNotCurrent)


@pytest.mark.parametrize(
    ("command", "event"), [(COMPLETE, COMPLETED), (FAIL, FAILED), (LOSE, LOST)], ids=["end", "fail", "lose"]
)
def test_only_the_attempt_that_executes_ends_it(command: Command, event: Event) -> None:
    given(REQUESTED, STARTED).when(command).then(event)
    given(REQUESTED).when(command).refused_with(errors.EvaluationNotStarted)
    given(REQUESTED, STARTED, LOST).when(command).refused_with(errors.EvaluationAttemptNotCurrent)


def test_a_lost_attempt_leaves_it_waiting_for_the_next() -> None:
    second = replace(START, attempt=2, epoch=2)
    given(REQUESTED, STARTED, LOST).when(second).then(EvaluationStarted(attempt=2, worker="w", epoch=2))
    given(REQUESTED, STARTED, LOST).when(replace(START, epoch=2)).refused_with(
        errors.EvaluationAttemptNotCurrent
    )


def test_what_waits_fails_without_an_attempt() -> None:
    fail = FailEvaluation(evaluation_id=E, error_class="TooManyLosses", message="3")
    failed = EvaluationFailed(attempt=None, error_class="TooManyLosses", message="3")
    given(REQUESTED).when(fail).then(failed)
    given(REQUESTED, failed).when(fail).then_nothing()
    given(REQUESTED, STARTED).when(fail).refused_with(errors.EvaluationAttemptNotCurrent)


def test_ending_twice_is_ending_once_and_the_other_end_is_refused() -> None:
    given(REQUESTED, STARTED, COMPLETED).when(COMPLETE).then_nothing()
    given(REQUESTED, STARTED, FAILED).when(FAIL).then_nothing()
    given(REQUESTED, STARTED, COMPLETED).when(FAIL).refused_with(errors.EvaluationAlreadyEnded)
    given(REQUESTED, STARTED, FAILED).when(replace(START, epoch=2)).refused_with(
        errors.EvaluationAlreadyEnded
    )


def test_only_a_completed_one_is_superseded() -> None:
    superseded = EvaluationSuperseded(by="e2", reason="wrong scorer")
    given(REQUESTED, STARTED, COMPLETED).when(SUPERSEDE).then(superseded)
    given(REQUESTED, STARTED, COMPLETED, superseded).when(SUPERSEDE).then_nothing()
    given(REQUESTED, STARTED, FAILED).when(SUPERSEDE).refused_with(errors.EvaluationNotCompleted)


def test_the_state_after_a_whole_life() -> None:
    second = EvaluationStarted(attempt=2, worker="w", epoch=2)
    ended = replace(COMPLETED, attempt=2)
    evaluation = fold([REQUESTED, STARTED, LOST, second, ended, EvaluationSuperseded(by="e2")])
    assert evaluation is not None
    assert (evaluation.version, evaluation.status, evaluation.attempt) == (6, "completed", 2)
    assert evaluation.superseded_by == "e2"


def test_a_stream_that_does_not_begin_with_its_request_is_a_bug() -> None:
    with pytest.raises(ValueError, match="stands before"):
        fold([STARTED])
