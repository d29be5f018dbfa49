"""Cancelling, pausing, resuming and retrying, wherever the run is."""

from __future__ import annotations

import pytest

from runledger.tracker.aggregates import errors
from runledger.tracker.aggregates.run import (
    Command,
    CompleteRun,
    ConfirmCancellation,
    ConfirmPause,
    FailRun,
    RequestCancellation,
    RequestPause,
    ResumeRun,
    RetryRun,
    StartAttempt,
)
from runledger.tracker.events.base import Event
from runledger.tracker.events.run import (
    RunAttemptLost,
    RunCancellationRequested,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunPauseRequested,
    RunResumed,
    RunRetried,
    RunStarted,
)
from tests.tracker.builders import R, checkpointed, deleted, digest, point, requested, started
from tests.tracker.deciders import given

CANCEL = RequestCancellation(run_id=R, reason="enough")
CANCELLING = RunCancellationRequested(reason="enough")
PAUSE = RequestPause(run_id=R, reason="lunch")
PAUSING = RunPauseRequested(reason="lunch")
START = StartAttempt(run_id=R, attempt=1, worker="w", epoch=1)
LOST = RunAttemptLost(attempt=1, last_heartbeat_at=None, resume_point=point(5))

RUNNING = (requested(), started())
BETWEEN = (requested(), started(), checkpointed(5), LOST, RunRetried(attempt=2, why="loss"))
PAUSED = (*RUNNING, PAUSING, RunPaused(attempt=1))
COMPLETED = (*RUNNING, RunCompleted(attempt=1))
FAILED = (*RUNNING, RunFailed(attempt=1, reason="error"))
CANCELLED = (requested(), CANCELLING, RunCancelled())


# cancelling


def test_what_waits_is_cancelled_at_once() -> None:
    given(requested()).when(CANCEL).then(CANCELLING, RunCancelled())


def test_between_attempts_too_with_what_is_there() -> None:
    given(*BETWEEN).when(CANCEL).then(CANCELLING, RunCancelled(attempt=1, step=5, checkpoint=digest(5)))


def test_what_is_paused_is_cancelled_at_once() -> None:
    given(*PAUSED).when(CANCEL).then(CANCELLING, RunCancelled(attempt=1))


def test_what_executes_is_asked_and_confirms() -> None:
    given(*RUNNING).when(CANCEL).then(CANCELLING)
    life = given(*RUNNING, CANCELLING, checkpointed(7))
    life.when(ConfirmCancellation(run_id=R, attempt=1)).then(
        RunCancelled(attempt=1, step=7, checkpoint=digest(7))
    )
    life.when(ConfirmCancellation(run_id=R, attempt=1, step=8)).then(
        RunCancelled(attempt=1, step=8, checkpoint=digest(7))
    )


def test_a_pausing_run_can_still_be_cancelled() -> None:
    given(*RUNNING, PAUSING).when(CANCEL).then(CANCELLING)
    given(*RUNNING, PAUSING, CANCELLING).when(ConfirmPause(run_id=R, attempt=1)).refused_with(
        errors.PauseNotRequested
    )


@pytest.mark.parametrize("life", [(*RUNNING, CANCELLING), CANCELLED])
def test_cancelling_twice_is_cancelling_once(life: tuple[Event, ...]) -> None:
    given(*life).when(CANCEL).then_nothing()


@pytest.mark.parametrize("life", [COMPLETED, FAILED])
def test_what_has_ended_is_not_cancelled(life: tuple[Event, ...]) -> None:
    given(*life).when(CANCEL).refused_with(errors.RunAlreadyEnded)


def test_nobody_confirms_what_nobody_asked_for() -> None:
    given(*RUNNING).when(ConfirmCancellation(run_id=R, attempt=1)).refused_with(
        errors.CancellationNotRequested
    )
    given(*RUNNING).when(ConfirmPause(run_id=R, attempt=1)).refused_with(errors.PauseNotRequested)


def test_confirming_twice_is_confirming_once() -> None:
    life = given(*RUNNING, CANCELLING, RunCancelled(attempt=1))
    life.when(ConfirmCancellation(run_id=R, attempt=1)).then_nothing()
    given(*PAUSED).when(ConfirmPause(run_id=R, attempt=1)).then_nothing()


def test_an_attempt_that_finishes_before_it_sees_the_cancellation_has_finished() -> None:
    given(*RUNNING, CANCELLING).when(CompleteRun(run_id=R, attempt=1, step=9)).then(
        RunCompleted(attempt=1, step=9)
    )


def test_an_attempt_that_crashes_while_it_is_cancelled_has_failed() -> None:
    given(*RUNNING, CANCELLING).when(FailRun(run_id=R, attempt=1, reason="error")).then(
        RunFailed(attempt=1, reason="error")
    )


# pausing


def test_what_waits_is_paused_at_once() -> None:
    given(requested()).when(PAUSE).then(PAUSING, RunPaused())
    given(*BETWEEN).when(PAUSE).then(PAUSING, RunPaused(attempt=1, step=5, checkpoint=digest(5)))


def test_what_executes_is_asked_to_pause() -> None:
    given(*RUNNING).when(PAUSE).then(PAUSING)
    given(*RUNNING, PAUSING, checkpointed(7)).when(ConfirmPause(run_id=R, attempt=1)).then(
        RunPaused(attempt=1, step=7, checkpoint=digest(7))
    )


@pytest.mark.parametrize("life", [(*RUNNING, PAUSING), PAUSED])
def test_pausing_twice_is_pausing_once(life: tuple[Event, ...]) -> None:
    given(*life).when(PAUSE).then_nothing()


def test_what_is_being_cancelled_is_not_paused() -> None:
    given(*RUNNING, CANCELLING).when(PAUSE).refused_with(errors.RunIsCancelling)


@pytest.mark.parametrize("life", [COMPLETED, FAILED, CANCELLED])
@pytest.mark.parametrize("command", [PAUSE, ResumeRun(run_id=R)])
def test_what_has_ended_is_neither_paused_nor_resumed(life: tuple[Event, ...], command: Command) -> None:
    given(*life).when(command).refused_with(errors.RunAlreadyEnded)


def test_a_paused_run_starts_only_after_it_was_resumed() -> None:
    given(requested(), PAUSING, RunPaused()).when(START).refused_with(errors.RunIsPaused)
    given(*PAUSED).when(CompleteRun(run_id=R, attempt=1)).refused_with(errors.RunIsPaused)


def test_resuming_is_a_new_attempt_from_the_last_checkpoint() -> None:
    life = (*RUNNING, checkpointed(5), PAUSING, RunPaused(attempt=1))
    given(*life).when(ResumeRun(run_id=R, reason="back")).then(RunResumed(attempt=2, reason="back"))
    given(*life, RunResumed(attempt=2)).when(StartAttempt(run_id=R, attempt=2, worker="w", epoch=2)).then(
        RunStarted(attempt=2, worker="w", epoch=2, resumed_from=point(5))
    )


def test_a_run_paused_before_it_ever_started_resumes_as_a_new_attempt_too() -> None:
    life = (requested(), PAUSING, RunPaused())
    given(*life).when(ResumeRun(run_id=R)).then(RunResumed(attempt=2))
    given(*life, RunResumed(attempt=2)).when(START).refused_with(errors.AttemptNotCurrent)


@pytest.mark.parametrize("life", [(requested(),), RUNNING, (*RUNNING, PAUSING)])
def test_only_a_paused_run_is_resumed(life: tuple[Event, ...]) -> None:
    given(*life).when(ResumeRun(run_id=R)).refused_with(errors.RunNotPaused)


# retrying


def test_a_failed_run_is_retried_on_demand() -> None:
    life = (*RUNNING, checkpointed(5), RunFailed(attempt=1, reason="error"))
    given(*life).when(RetryRun(run_id=R)).then(RunRetried(attempt=2, why="demand"))
    given(*life, RunRetried(attempt=2, why="demand")).when(
        StartAttempt(run_id=R, attempt=2, worker="w", epoch=2)
    ).then(started(2, resumed_from=point(5)))


@pytest.mark.parametrize("life", [(requested(),), RUNNING, PAUSED, COMPLETED, CANCELLED])
def test_only_a_failed_run_is_retried(life: tuple[Event, ...]) -> None:
    given(*life).when(RetryRun(run_id=R)).refused_with(errors.RunNotFailed)


def test_a_retry_goes_on_from_an_earlier_checkpoint_where_the_last_was_deleted() -> None:
    life = (*RUNNING, checkpointed(5), checkpointed(9), RunFailed(attempt=1, reason="error"), deleted(9))
    given(*life, RunRetried(attempt=2, why="demand")).when(
        StartAttempt(run_id=R, attempt=2, worker="w", epoch=2)
    ).then(started(2, resumed_from=point(5)))
