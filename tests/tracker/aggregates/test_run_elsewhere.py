"""A run executed elsewhere: never in a queue, and an attempt that was thought lost may return."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runledger.tracker.aggregates import errors
from runledger.tracker.aggregates.run import (
    CompleteRun,
    ConfirmStop,
    LoseAttempt,
    PreemptAttempt,
    RequestCancellation,
    RequestPause,
    ResumeRun,
    RetryRun,
    ReturnAttempt,
    SavedState,
    StartAttempt,
    fold,
)
from runledger.tracker.events.base import Event
from runledger.tracker.events.run import (
    RunAttemptLost,
    RunAttemptReturned,
    RunCancellationRequested,
    RunCancelled,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunPaused,
    RunPauseRequested,
    RunPreempted,
    RunResumed,
    RunRetried,
)
from runledger.tracker.spec import Limits
from tests.tracker.aggregates.test_run_attempts import LOST, RUNNING
from tests.tracker.builders import (
    R,
    checkpointed,
    deleted,
    digest,
    point,
    record_checkpoint,
    requested,
    started,
)
from tests.tracker.deciders import given

AT = datetime(2026, 1, 1, tzinfo=UTC)
LOSE = LoseAttempt(run_id=R, attempt=1, last_heartbeat_at=AT)
REPLACED = LoseAttempt(run_id=R, attempt=1, last_heartbeat_at=AT, replaced=True)
RETURN = ReturnAttempt(run_id=R, attempt=1, worker="w", epoch=3)
RETURNED = RunAttemptReturned(attempt=1, worker="w", epoch=3)
GONE = RunFailed(attempt=1, reason="worker-lost", message="nothing more was heard of it")
STARTED: tuple[RunEvent, ...] = (requested(external=True), started())
FAILED: tuple[RunEvent, ...] = (*STARTED, LOST, GONE)
PAUSED: tuple[RunEvent, ...] = (*STARTED, RunPauseRequested(), RunPaused(attempt=1))
CANCELLED: tuple[RunEvent, ...] = (*STARTED, RunCancellationRequested(), LOST, RunCancelled(attempt=1))


def start(attempt: int, *, resume: bool = True) -> StartAttempt:
    return StartAttempt(run_id=R, attempt=attempt, worker="w", epoch=attempt, resume=resume)


def begun_from(step: int, attempt: int = 2, saved_by: int = 1) -> StartAttempt:
    saved = SavedState(step=step, digest=digest(step, saved_by))
    return StartAttempt(run_id=R, attempt=attempt, worker="w", epoch=attempt, resumed_from=saved)


SAVED_TWICE: tuple[RunEvent, ...] = (*STARTED, checkpointed(5), checkpointed(9), LOST, GONE)
AGAIN = RunRetried(attempt=2, why="loss")


def test_an_attempt_that_has_begun_already_goes_on_from_where_it_did() -> None:
    resumed = started(2, resumed_from=point(5))
    given(*SAVED_TWICE).when(begun_from(5)).then(AGAIN, resumed)
    run = fold((*SAVED_TWICE, AGAIN, resumed))
    assert run is not None
    assert run.resume_point == point(5)


def test_also_where_that_was_deleted_meanwhile() -> None:
    given(*SAVED_TWICE, deleted(9)).when(begun_from(9)).then(AGAIN, started(2, resumed_from=point(9)))


@pytest.mark.parametrize("command", [begun_from(6), begun_from(5, saved_by=2)])
def test_an_attempt_does_not_go_on_from_what_the_run_did_not_come_to(command: StartAttempt) -> None:
    given(*SAVED_TWICE).when(command).refused_with(errors.CheckpointNotOnLine)


def test_an_attempt_does_not_go_on_from_what_another_has_left_behind() -> None:
    """Which began from nothing."""
    history = (*SAVED_TWICE, AGAIN, started(2), RunFailed(attempt=2, reason="error"))
    given(*history).when(begun_from(9, attempt=3)).refused_with(errors.CheckpointNotOnLine)


# what ends an attempt without an end of the training


def test_a_loss_fails_it_whatever_number_of_attempts_is_allowed() -> None:
    given(*STARTED).when(LOSE).then(LOST, GONE)
    many = (requested(external=True, limits=Limits(attempts=9)), started())
    given(*many).when(LOSE).then(LOST, GONE)


def test_a_preemption_fails_it() -> None:
    given(*STARTED, checkpointed(5)).when(PreemptAttempt(run_id=R, attempt=1, signal="SIGTERM")).then(
        RunPreempted(attempt=1, signal="SIGTERM", step=5, checkpoint=digest(5)),
        RunFailed(attempt=1, reason="worker-lost", message="ended by SIGTERM"),
    )


def test_an_attempt_whose_executor_is_back_already_is_followed_by_the_next() -> None:
    given(requested(external=True, limits=Limits(attempts=1)), started()).when(REPLACED).then(
        LOST, RunRetried(attempt=2, why="loss")
    )


@pytest.mark.parametrize("command", [LOSE, REPLACED])
def test_what_was_asked_for_is_done_when_the_attempt_is_lost(command: LoseAttempt) -> None:
    given(*STARTED, RunCancellationRequested()).when(command).then(LOST, RunCancelled(attempt=1))
    given(*STARTED, RunPauseRequested()).when(command).then(LOST, RunPaused(attempt=1))


# who lets it go on


def test_nobody_but_its_own_executor_lets_it_go_on() -> None:
    given(*FAILED).when(RetryRun(run_id=R)).refused_with(errors.RunIsExternal, "its script is started again")
    given(*PAUSED).when(ResumeRun(run_id=R)).refused_with(errors.RunIsExternal)


def test_the_next_attempt_retries_a_failed_run_and_says_after_what() -> None:
    given(*FAILED).when(start(2)).then(RunRetried(attempt=2, why="loss"), started(2))
    preempted = (*STARTED, RunPreempted(attempt=1, signal="SIGTERM"), GONE)
    given(*preempted).when(start(2)).then(RunRetried(attempt=2, why="preemption"), started(2))
    broken = (*STARTED, RunFailed(attempt=1, reason="error"))
    given(*broken).when(start(2)).then(RunRetried(attempt=2, why="failure"), started(2))
    unstarted = (requested(external=True), RunFailed(reason="timed-out"))
    given(*unstarted).when(start(2)).then(RunRetried(attempt=2, why="failure"), started(2))


def test_the_next_attempt_resumes_a_paused_run() -> None:
    given(*PAUSED).when(start(2)).then(RunResumed(attempt=2), started(2))


def test_the_next_attempt_goes_on_from_the_last_checkpoint_unless_it_starts_from_nothing() -> None:
    life = (*STARTED, checkpointed(5), LOST, GONE)
    given(*life).when(start(2)).then(RunRetried(attempt=2, why="loss"), started(2, point(5)))
    given(*life).when(start(2, resume=False)).then(RunRetried(attempt=2, why="loss"), started(2))
    again = fold([*life, RunRetried(attempt=2, why="loss"), started(2)])
    assert again is not None
    assert again.resume_point is None


def test_only_the_very_next_attempt_starts() -> None:
    given(*FAILED).when(start(3)).refused_with(errors.RunAlreadyEnded)
    given(*STARTED).when(start(2)).refused_with(errors.AttemptNotCurrent)
    other = StartAttempt(run_id=R, attempt=1, worker="v", epoch=9)
    given(*STARTED).when(other).refused_with(errors.AttemptAlreadyStarted, "by w")


@pytest.mark.parametrize("life", [CANCELLED, (*STARTED, RunCompleted(attempt=1))])
def test_nothing_starts_or_returns_after_a_cancellation_or_a_completion(life: tuple[Event, ...]) -> None:
    given(*life).when(start(2)).refused_with(errors.RunAlreadyEnded)
    given(*life).when(RETURN).refused_with(errors.RunAlreadyEnded)


def test_our_own_runs_go_on_only_through_the_queue() -> None:
    failed = (*RUNNING, RunFailed(attempt=1, reason="error"))
    given(*failed).when(start(2)).refused_with(errors.RunAlreadyEnded)
    given(*RUNNING, RunPauseRequested(), RunPaused(attempt=1)).when(start(2)).refused_with(
        errors.AttemptNotCurrent
    )
    given(*failed).when(RETURN).refused_with(errors.RunNotExternal)


# back from being lost


def test_a_lost_attempt_returns_and_everything_goes_on() -> None:
    given(*FAILED).when(RETURN).then(RETURNED)
    run = fold([*FAILED, RETURNED])
    assert run is not None
    assert (run.status, run.attempt) == ("running", 1)
    assert (run.attempts[0].outcome, run.attempts[0].epoch) == (None, 3)
    given(*FAILED, RETURNED).when(record_checkpoint(5)).then(checkpointed(5))
    given(*FAILED, RETURNED).when(CompleteRun(run_id=R, attempt=1)).then(RunCompleted(attempt=1))


def test_an_attempt_may_be_lost_and_return_any_number_of_times() -> None:
    given(*FAILED, RETURNED).when(RETURN).then_nothing()
    given(*FAILED, RETURNED).when(LOSE).then(LOST, GONE)
    later = ReturnAttempt(run_id=R, attempt=1, worker="w", epoch=5)
    given(*FAILED, RETURNED, LOST, GONE).when(later).then(RunAttemptReturned(attempt=1, worker="w", epoch=5))


def test_an_attempt_that_returns_to_a_paused_run_is_asked_to_pause() -> None:
    life = (*STARTED, RunPauseRequested(), LOST, RunPaused(attempt=1))
    given(*life).when(RETURN).then(RETURNED)
    given(*life, RETURNED).when(ConfirmStop(run_id=R, attempt=1, step=7)).then(RunPaused(attempt=1, step=7))


def test_what_an_executing_attempt_is_asked_stands_when_it_takes_a_new_epoch() -> None:
    life = (*STARTED, RunCancellationRequested())
    given(*life).when(RETURN).then(RETURNED)
    given(*life, RETURNED).when(ConfirmStop(run_id=R, attempt=1)).then(RunCancelled(attempt=1))


def test_what_has_been_overtaken_does_not_return() -> None:
    second = (*FAILED, RunRetried(attempt=2, why="loss"))
    given(*second).when(RETURN).refused_with(errors.AttemptNotCurrent)
    given(*second, started(2)).when(RETURN).refused_with(errors.AttemptNotCurrent)
    given(requested(external=True)).when(RETURN).refused_with(errors.AttemptNotStarted)


def test_only_a_lost_attempt_returns_and_only_for_its_own_worker() -> None:
    broken = (*STARTED, RunFailed(attempt=1, reason="error"))
    given(*broken).when(RETURN).refused_with(errors.AttemptNotLost, "it is failed")
    given(*PAUSED).when(RETURN).refused_with(errors.AttemptNotLost, "it is paused")
    other = ReturnAttempt(run_id=R, attempt=1, worker="v", epoch=3)
    given(*FAILED).when(other).refused_with(errors.AttemptAlreadyStarted, "by w")


# people


def test_between_attempts_a_stop_takes_effect_at_once() -> None:
    waiting = (*STARTED, LOST, RunRetried(attempt=2, why="loss"))
    given(*waiting).when(RequestCancellation(run_id=R)).then(
        RunCancellationRequested(), RunCancelled(attempt=1)
    )
    given(*waiting).when(RequestPause(run_id=R)).then(RunPauseRequested(), RunPaused(attempt=1))
    given(*PAUSED).when(RequestCancellation(run_id=R)).then(
        RunCancellationRequested(), RunCancelled(attempt=1)
    )


def test_a_stop_is_confirmed_as_whatever_was_asked_for() -> None:
    stop = ConfirmStop(run_id=R, attempt=1, step=3)
    given(*STARTED).when(stop).refused_with(errors.StopNotRequested)
    given(*STARTED, RunPauseRequested()).when(stop).then(RunPaused(attempt=1, step=3))
    given(*STARTED, RunPauseRequested(), RunCancellationRequested()).when(stop).then(
        RunCancelled(attempt=1, step=3)
    )
    given(*PAUSED).when(stop).then_nothing()
    given(*CANCELLED[:-2], RunCancelled(attempt=1)).when(stop).then_nothing()


def test_it_completes_like_any_other() -> None:
    given(*STARTED).when(CompleteRun(run_id=R, attempt=1)).then(RunCompleted(attempt=1))
    lost = RunAttemptLost(attempt=1, last_heartbeat_at=AT, resume_point=point(5))
    given(*STARTED, checkpointed(5)).when(LOSE).then(lost, GONE)
