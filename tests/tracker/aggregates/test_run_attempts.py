"""Attempts: the claim, what an executing attempt records, and the ways in which it ends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from runledger.tracker.aggregates import errors
from runledger.tracker.aggregates.run import (
    Command,
    CompleteRun,
    ConfirmCancellation,
    ConfirmPause,
    ConfirmStop,
    DeleteCheckpoint,
    FailRun,
    LoseAttempt,
    PreemptAttempt,
    RecordArtifact,
    RecordParams,
    StartAttempt,
    fold,
)
from runledger.tracker.errors import BadInput
from runledger.tracker.events.base import Event, Score
from runledger.tracker.events.run import (
    RunArtifactRecorded,
    RunAttemptLost,
    RunCancellationRequested,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunParamsRecorded,
    RunPaused,
    RunPauseRequested,
    RunPreempted,
    RunResumed,
    RunRetried,
)
from tests.tracker.builders import (
    COVERS,
    R,
    checkpointed,
    deleted,
    digest,
    environment,
    evaluated,
    limited,
    point,
    record_checkpoint,
    record_environment,
    record_evaluation,
    requested,
    started,
)
from tests.tracker.deciders import given

AT = datetime(2026, 1, 1, tzinfo=UTC)
START = StartAttempt(run_id=R, attempt=1, worker="w", epoch=1)
LOSE = LoseAttempt(run_id=R, attempt=1, last_heartbeat_at=AT)
PREEMPT = PreemptAttempt(run_id=R, attempt=1, signal="SIGTERM")
RUNNING = (requested(), started())
LOST = RunAttemptLost(attempt=1, last_heartbeat_at=AT, resume_point=None)
SECOND = (requested(), started(), checkpointed(5), LOST, RunRetried(attempt=2, why="loss"))

OF_AN_ATTEMPT: list[Command] = [
    record_environment(),
    RecordParams(run_id=R, attempt=1, params={"x": 1}),
    record_checkpoint(99),
    RecordArtifact(run_id=R, attempt=1, path="a.txt", digest=digest(0), size_bytes=1),
    ConfirmCancellation(run_id=R, attempt=1),
    ConfirmPause(run_id=R, attempt=1),
    LOSE,
    PREEMPT,
    CompleteRun(run_id=R, attempt=1),
    FailRun(run_id=R, attempt=1, reason="error"),
    ConfirmStop(run_id=R, attempt=1),
]


def named(command: Command) -> str:
    return type(command).__name__


# the claim


def test_the_first_attempt_starts_from_nothing() -> None:
    given(requested()).when(START).then(started())


def test_the_same_claim_again_is_no_news_even_after_the_end() -> None:
    given(*RUNNING).when(START).then_nothing()
    given(*RUNNING, RunCompleted(attempt=1)).when(START).then_nothing()


def test_a_claim_by_another_worker_or_epoch_is_refused() -> None:
    other = StartAttempt(run_id=R, attempt=1, worker="v", epoch=1)
    given(*RUNNING).when(other).refused_with(errors.AttemptAlreadyStarted, "by w")
    later = StartAttempt(run_id=R, attempt=1, worker="w", epoch=2)
    given(*RUNNING).when(later).refused_with(errors.AttemptAlreadyStarted)


@pytest.mark.parametrize("attempt", [1, 3])
def test_only_the_attempt_whose_turn_it_is_starts(attempt: int) -> None:
    command = StartAttempt(run_id=R, attempt=attempt, worker="v", epoch=9)
    given(*SECOND).when(command).refused_with(errors.AttemptNotCurrent)


def test_nothing_starts_after_the_end() -> None:
    life = (requested(), RunCancellationRequested(), RunCancelled())
    given(*life).when(START).refused_with(errors.RunAlreadyEnded, "is cancelled already")


# who may speak


@pytest.mark.parametrize("command", OF_AN_ATTEMPT, ids=named)
def test_an_attempt_that_has_not_started_has_nothing_to_say(command: Command) -> None:
    given(requested()).when(command).refused_with(errors.AttemptNotStarted)


@pytest.mark.parametrize("command", [each for each in OF_AN_ATTEMPT if each is not LOSE], ids=named)
def test_a_lost_attempt_decides_nothing(command: Command) -> None:
    given(*SECOND).when(command).refused_with(errors.AttemptNotCurrent)
    given(*SECOND, started(2, point(5))).when(command).refused_with(errors.AttemptNotCurrent)


@pytest.mark.parametrize("command", OF_AN_ATTEMPT, ids=named)
def test_after_a_cancellation_nothing_is_added(command: Command) -> None:
    life = (requested(), RunCancellationRequested(), RunCancelled())
    given(*life).when(command).refused_with(errors.RunAlreadyEnded)


@pytest.mark.parametrize("asked", [RunCancellationRequested(), RunPauseRequested()])
def test_an_attempt_that_is_asked_to_stop_still_records(asked: Event) -> None:
    given(*RUNNING, asked).when(record_checkpoint(3)).then(checkpointed(3))


# environment and params


def test_an_environment_from_nothing_is_no_resume() -> None:
    given(*RUNNING).when(record_environment()).then(environment())


def test_an_attempt_has_one_environment() -> None:
    given(*RUNNING, environment()).when(record_environment()).then_nothing()
    given(*RUNNING, environment()).when(record_environment(seed=1)).refused_with(
        errors.EnvironmentAlreadyRecorded
    )


RESUMED = (
    requested(),
    started(),
    environment(seed=7),
    checkpointed(5),
    LOST,
    RunRetried(attempt=2, why="loss"),
    started(2, point(5)),
)


def test_a_resume_in_the_same_environment_is_exact() -> None:
    given(*RESUMED).when(record_environment(2, seed=7)).then(environment(2, seed=7, resume="exact"))


def test_a_resume_elsewhere_names_what_differs() -> None:
    given(*RESUMED).when(record_environment(2, seed=8, devices=("gpu:0",))).then(
        environment(2, seed=8, devices=("gpu:0",), resume="changed", changed=("devices", "seed"))
    )


def test_a_resume_from_an_attempt_without_an_environment_may_differ_in_all() -> None:
    life = (*SECOND, started(2, point(5)))
    run = fold([*life])
    assert run is not None
    given(*life).when(record_environment(2)).then(
        environment(
            2,
            resume="changed",
            changed=(
                "versions",
                "devices",
                "flags",
                "seed",
                "code_revision",
                "code_diff_digest",
                "lock_digest",
                "dataset_digest",
            ),
        )
    )


def params(**values: Any) -> RecordParams:
    return RecordParams(run_id=R, attempt=1, params=values)


def test_params_are_added_and_never_change() -> None:
    life = (*RUNNING, RunParamsRecorded(params={"x": 1, "n": float("nan")}))
    given(*life).when(params(x=1, y=2, n=float("nan"))).then(RunParamsRecorded(params={"y": 2}))
    given(*life).when(params(x=1)).then_nothing()
    given(*life).when(params(x=2)).refused_with(errors.ParamAlreadyRecorded, "'x'")


def test_a_param_of_the_spec_counts_as_recorded() -> None:
    given(*RUNNING).when(params(rate=0.5)).then_nothing()
    given(*RUNNING).when(params(rate=0.6)).refused_with(errors.ParamAlreadyRecorded, "'rate'")


@pytest.mark.parametrize("value", [1.0, True, "1"])
def test_a_param_of_another_type_is_another_value(value: object) -> None:
    life = (*RUNNING, RunParamsRecorded(params={"x": 1}))
    given(*life).when(params(x=value)).refused_with(errors.ParamAlreadyRecorded)


# checkpoints


def test_checkpoints_grow() -> None:
    given(*RUNNING).when(record_checkpoint(0)).then(checkpointed(0))
    given(*RUNNING, checkpointed(5)).when(record_checkpoint(6, loss=0.5)).then(checkpointed(6, loss=0.5))
    for step in (4, 5):
        given(*RUNNING, checkpointed(5)).when(record_checkpoint(step, digest=digest(1, 9))).refused_with(
            errors.CheckpointStepNotGrowing
        )
    given(*RUNNING).when(record_checkpoint(-1)).refused_with(BadInput, r"\$\.step")


def test_the_same_checkpoint_again_is_no_news_even_after_the_end() -> None:
    given(*RUNNING, checkpointed(5)).when(record_checkpoint(5)).then_nothing()
    given(*RUNNING, checkpointed(5), RunCompleted(attempt=1)).when(record_checkpoint(5)).then_nothing()


def test_a_new_attempt_may_save_at_the_step_it_started_from_but_not_before() -> None:
    life = (*SECOND, started(2, point(5)))
    given(*life).when(record_checkpoint(5, attempt=2)).then(checkpointed(5, attempt=2))
    given(*life).when(record_checkpoint(4, attempt=2)).refused_with(errors.CheckpointStepNotGrowing)


def test_what_was_saved_after_the_resume_point_is_off_the_line() -> None:
    """Attempt 1 saved 5 and 9; 9 was deleted, so attempt 2 went on from 5 and may save 7."""
    life = (*RUNNING, checkpointed(5), checkpointed(9), RunFailed(attempt=1, reason="error"), deleted(9))
    again = (*life, RunRetried(attempt=2, why="demand"), started(2, point(5)))
    given(*again).when(record_checkpoint(7, attempt=2)).then(checkpointed(7, attempt=2))
    run = fold([*again, checkpointed(7, attempt=2)])
    assert run is not None
    assert run.resume_point == point(7, attempt=2)
    assert [(each.attempt, each.step, each.is_on_line) for each in run.checkpoints] == [
        (1, 5, True),
        (1, 9, False),
        (2, 7, True),
    ]


def test_the_checkpoint_that_the_next_attempt_needs_stays() -> None:
    life = (*RUNNING, checkpointed(5), checkpointed(9))

    def delete(step: int) -> DeleteCheckpoint:
        return DeleteCheckpoint(run_id=R, attempt=1, step=step, policy="latest 1")

    given(*life).when(delete(5)).then(deleted(5))
    given(*life, deleted(5)).when(delete(5)).then_nothing()
    given(*life).when(delete(9)).refused_with(errors.LastCheckpointOfLiveRun)
    given(*life, RunCompleted(attempt=1)).when(delete(9)).then(deleted(9))
    given(*life).when(delete(7)).refused_with(errors.CheckpointNotRecorded)


# artifacts and evaluations


def artifact(path: str = "plots/loss.svg", content: int = 1) -> RecordArtifact:
    return RecordArtifact(run_id=R, attempt=1, path=path, digest=digest(content), size_bytes=3)


def kept(path: str = "plots/loss.svg", content: int = 1) -> RunArtifactRecorded:
    return RunArtifactRecorded(attempt=1, path=path, digest=digest(content), size_bytes=3)


def test_an_artifact_is_kept_under_its_name_and_again_with_other_bytes() -> None:
    given(*RUNNING).when(artifact()).then(kept())
    given(*RUNNING, kept()).when(artifact()).then_nothing()
    given(*RUNNING, kept()).when(artifact(content=2)).then(kept(content=2))


@pytest.mark.parametrize("path", ["", "x" * 501, "/etc/passwd", "../up", "a/../b", "a//b", "a/", "./a", "."])
def test_an_artifacts_name_is_a_plain_relative_path(path: str) -> None:
    given(*RUNNING).when(artifact(path)).refused_with(BadInput, r"\$\.path")


def test_an_evaluation_needs_the_checkpoint_that_it_evaluated() -> None:
    given(*RUNNING, checkpointed(5)).when(record_evaluation(5)).then(evaluated(5))
    given(*RUNNING, checkpointed(5)).when(record_evaluation(6)).refused_with(errors.CheckpointNotRecorded)
    given(requested()).when(record_evaluation(5)).refused_with(errors.CheckpointNotRecorded)


@pytest.mark.parametrize("end", [RunCompleted(attempt=1), deleted(5)])
def test_a_checkpoint_is_evaluated_also_after_the_end(end: Event) -> None:
    given(*RUNNING, checkpointed(5), checkpointed(6), end).when(record_evaluation(5)).then(evaluated(5))


def test_an_evaluation_has_one_result_also_where_it_is_nan() -> None:
    undefined = Score(name="loss", value=float("nan"), count=1)
    life = (*RUNNING, checkpointed(5), evaluated(5, score=undefined))
    again = Score(name="loss", value=float("nan"), count=1)
    given(*life).when(record_evaluation(5, score=again)).then_nothing()
    given(*life).when(record_evaluation(5)).refused_with(errors.EvaluationAlreadyRecorded)


# loss and preemption


def test_a_lost_attempt_is_followed_by_the_next_from_the_last_checkpoint() -> None:
    given(*RUNNING, checkpointed(5)).when(LOSE).then(
        RunAttemptLost(attempt=1, last_heartbeat_at=AT, resume_point=point(5)),
        RunRetried(attempt=2, why="loss"),
    )


def test_losing_twice_is_losing_once() -> None:
    given(*SECOND).when(LOSE).then_nothing()
    given(*SECOND, started(2, point(5))).when(LOSE).then_nothing()


def test_the_last_allowed_attempt_fails_the_run() -> None:
    given(limited(1), started()).when(LOSE).then(
        LOST, RunFailed(attempt=1, reason="worker-lost", message="1 attempts were lost")
    )
    life = (limited(2), started(), LOST, RunRetried(attempt=2, why="loss"), started(2))
    given(*life).when(LoseAttempt(run_id=R, attempt=2)).then(
        RunAttemptLost(attempt=2, last_heartbeat_at=None, resume_point=None),
        RunFailed(attempt=2, reason="worker-lost", message="2 attempts were lost"),
    )


def test_a_lost_attempt_does_what_was_asked_of_it() -> None:
    """Also where it was the last one allowed."""
    cancelling = (limited(1), started(), checkpointed(5), RunCancellationRequested())
    lost = RunAttemptLost(attempt=1, last_heartbeat_at=AT, resume_point=point(5))
    given(*cancelling).when(LOSE).then(lost, RunCancelled(attempt=1, step=5, checkpoint=digest(5)))
    pausing = (limited(1), started(), checkpointed(5), RunPauseRequested())
    given(*pausing).when(LOSE).then(lost, RunPaused(attempt=1, step=5, checkpoint=digest(5)))


def test_a_retry_on_demand_gives_a_fresh_allowance() -> None:
    failed = (limited(1), started(), LOST, RunFailed(attempt=1, reason="worker-lost"))
    again = (*failed, RunRetried(attempt=2, why="demand"), started(2))
    run = fold([*again])
    assert run is not None
    assert run.losses == 0


def test_a_preemption_is_not_counted() -> None:
    given(limited(1), started(), checkpointed(5)).when(PREEMPT).then(
        RunPreempted(attempt=1, signal="SIGTERM", step=5, checkpoint=digest(5)),
        RunRetried(attempt=2, why="preemption"),
    )


def test_a_preempted_attempt_does_what_was_asked_of_it() -> None:
    preempted = RunPreempted(attempt=1, signal="SIGTERM")
    given(*RUNNING, RunCancellationRequested()).when(PREEMPT).then(preempted, RunCancelled(attempt=1))
    given(*RUNNING, RunPauseRequested()).when(PREEMPT).then(preempted, RunPaused(attempt=1))


# the end


def test_completing_and_failing_twice_is_once_and_the_other_is_refused() -> None:
    complete = CompleteRun(run_id=R, attempt=1, step=9, metrics={"loss": 0.1})
    fail = FailRun(run_id=R, attempt=1, reason="diverged", message="loss is nan", last_lines=("a", "b"))
    completed = RunCompleted(attempt=1, step=9, metrics={"loss": 0.1})
    failed = RunFailed(attempt=1, reason="diverged", message="loss is nan", last_lines=("a", "b"))
    given(*RUNNING).when(complete).then(completed)
    given(*RUNNING, completed).when(complete).then_nothing()
    given(*RUNNING, completed).when(fail).refused_with(errors.RunAlreadyEnded, "is completed already")
    given(*RUNNING).when(fail).then(failed)
    given(*RUNNING, failed).when(fail).then_nothing()
    given(*RUNNING, failed).when(complete).refused_with(errors.RunAlreadyEnded, "is failed already")


def test_what_waits_fails_without_an_attempt() -> None:
    fail = FailRun(run_id=R, reason="timed-out")
    given(requested()).when(fail).then(RunFailed(reason="timed-out"))
    given(*RUNNING).when(fail).refused_with(errors.AttemptNotCurrent)


def test_the_state_tells_how_each_attempt_ended() -> None:
    life = [*SECOND, started(2, point(5)), RunPauseRequested(), RunPaused(attempt=2)]
    run = fold([*life, RunResumed(attempt=3), started(3, point(5)), RunCompleted(attempt=3)])
    assert run is not None
    assert [(each.number, each.outcome) for each in run.attempts] == [
        (1, "lost"),
        (2, "paused"),
        (3, "completed"),
    ]
    assert run.version == len(life) + 3


def test_a_checkpoint_covers_what_its_event_says() -> None:
    run = fold([*RUNNING, checkpointed(5)])
    assert run is not None
    assert run.checkpoints[0].covers == COVERS
