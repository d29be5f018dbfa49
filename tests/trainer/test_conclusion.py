"""How an attempt's end is told, from what is known about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from runledger.tracker.aggregates.run import (
    CompleteRun,
    ConfirmCancellation,
    ConfirmPause,
    FailRun,
    LoseAttempt,
    PreemptAttempt,
    Run,
    fold,
)
from runledger.tracker.events.run import (
    RunAttemptLost,
    RunCancellationRequested,
    RunPauseRequested,
    RunRequested,
    RunRetried,
    RunStarted,
)
from runledger.tracker.ids import RunId
from runledger.tracker.journal import Ended
from runledger.tracker.spec import Limits, RunSpec
from runledger.trainer.conclusion import End, conclude, describe

RUN = RunId("5f" * 16)
AT = datetime(2026, 1, 1, tzinfo=UTC)
REQUESTED = RunRequested(
    experiment_id="e",
    name="n",
    spec=RunSpec(recipe="toy", version=1, digest="d", values={}),
    limits=Limits(attempts=2, wall_seconds=60),
    requested_by="somebody",
)


def run(*more: Any) -> Run:
    state = fold([REQUESTED, RunStarted(attempt=1, worker="w", epoch=1), *more])
    assert state is not None
    return state


def told(state: Run, **known: Any) -> Any:
    end = {"ended": None, "status": -9, "cause": None, "was_out_of_memory": False, "step": 7}
    return conclude(state, RUN, state.attempt, End(last_lines=("bye",), at=AT, **{**end, **known}))


STOPPED = Ended(outcome="stopped", step=7)
CANCELLING, PAUSING = RunCancellationRequested(), RunPauseRequested()


def test_a_training_that_is_done_is_completed_whatever_was_asked_for() -> None:
    done = Ended(outcome="completed", step=7, metrics={"x": 1.0})
    for state in (run(), run(CANCELLING), run(PAUSING)):
        assert told(state, ended=done, status=0) == CompleteRun(
            run_id=RUN, attempt=1, step=7, metrics={"x": 1.0}
        )


def test_a_failure_is_told_in_its_own_words() -> None:
    ended = Ended(outcome="failed", reason="diverged", error_class="Diverged", message="NaN")
    assert told(run(CANCELLING), ended=ended, status=1) == FailRun(
        run_id=RUN,
        attempt=1,
        reason="diverged",
        error_class="Diverged",
        message="NaN",
        last_lines=("bye",),
    )


def test_what_a_training_raises_when_it_is_terminated_is_how_it_was_stopped() -> None:
    raised = Ended(
        outcome="failed", reason="error", error_class="RuntimeError", message="a worker was killed"
    )
    ending = {"ended": raised, "status": 1, "was_terminated": True}
    assert isinstance(told(run(CANCELLING), cause="request", **ending), ConfirmCancellation)
    assert isinstance(told(run(), cause="preemption", **ending), PreemptAttempt)
    assert told(run(), cause="no-progress", **ending).reason == "no-progress"
    diverged = Ended(outcome="failed", reason="diverged", error_class="Diverged", message="NaN")
    assert told(run(CANCELLING), cause="request", **{**ending, "ended": diverged}).reason == "diverged"


@pytest.mark.parametrize("ended", [STOPPED, None])
def test_what_was_asked_for_is_confirmed_also_where_force_was_needed(ended: Ended | None) -> None:
    cancelled = told(run(CANCELLING), ended=ended, cause="request")
    assert cancelled == ConfirmCancellation(run_id=RUN, attempt=1, step=7)
    assert told(run(PAUSING), ended=ended, cause="request") == ConfirmPause(run_id=RUN, attempt=1, step=7)


def test_a_preempted_attempt_says_so_unless_the_run_was_to_stop_anyway() -> None:
    assert isinstance(told(run(), ended=STOPPED, cause="preemption"), PreemptAttempt)
    assert isinstance(told(run(CANCELLING), ended=STOPPED, cause="preemption"), ConfirmCancellation)


def test_a_limit_that_was_passed_fails_the_run() -> None:
    failed = told(run(), ended=STOPPED, cause="timed-out")
    assert (failed.reason, failed.message) == ("timed-out", "not done after 60 s")
    assert told(run(), cause="no-progress").reason == "no-progress"


def test_a_crash_costs_an_attempt_and_the_last_one_fails_the_run() -> None:
    assert told(run()) == LoseAttempt(
        run_id=RUN,
        attempt=1,
        last_heartbeat_at=AT,
        message="killed by signal 9 (SIGKILL)",
        last_lines=("bye",),
    )
    lost = RunAttemptLost(attempt=1, last_heartbeat_at=AT, resume_point=None)
    last = run(lost, RunRetried(attempt=2, why="loss"), RunStarted(attempt=2, worker="w", epoch=2))
    failed = told(last)
    assert (failed.reason, failed.attempt) == ("error", 2)
    assert failed.message == "killed by signal 9 (SIGKILL) (2 of 2 attempts)"


def test_a_kill_for_want_of_memory_is_not_tried_again() -> None:
    assert told(run(), was_out_of_memory=True).reason == "out-of-memory"


@pytest.mark.parametrize(
    ("status", "words"),
    [(3, "exit status 3"), (-11, "killed by signal 11 (SIGSEGV)"), (-99, "killed by signal 99")],
)
def test_an_exit_status_in_words(status: int, words: str) -> None:
    assert describe(status) == words
