"""What a command leads to in the state that a run is in: events, nothing (it is so already), or a refusal.

An attempt number is given once: every way back into the queue takes the next one, so that whatever
still acts for an earlier attempt is refused for ever.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal, assert_never

from tracker.aggregates import errors
from tracker.aggregates.facts import is_same
from tracker.aggregates.run.commands import (
    AttemptCommand,
    Command,
    CompleteRun,
    ConfirmCancellation,
    ConfirmPause,
    DeleteCheckpoint,
    FailRun,
    HideRun,
    LoseAttempt,
    NoteRun,
    PreemptAttempt,
    RecordArtifact,
    RecordCheckpoint,
    RecordEnvironment,
    RecordEvaluation,
    RecordParams,
    RenameRun,
    RequestCancellation,
    RequestPause,
    RequestRun,
    ResumeRun,
    RetryRun,
    ShowRun,
    StartAttempt,
    TagRun,
)
from tracker.aggregates.run.state import Outcome, Run
from tracker.aggregates.texts import check_name, check_tags
from tracker.errors import BadInput, NotFound
from tracker.events.run import (
    RunArtifactRecorded,
    RunAttemptLost,
    RunCancellationRequested,
    RunCancelled,
    RunCheckpointDeleted,
    RunCheckpointed,
    RunCompleted,
    RunEnvironmentRecorded,
    RunEvaluated,
    RunEvent,
    RunFailed,
    RunHidden,
    RunNoted,
    RunParamsRecorded,
    RunPaused,
    RunPauseRequested,
    RunPreempted,
    RunRenamed,
    RunRequested,
    RunResumed,
    RunRetried,
    RunShown,
    RunStarted,
    RunTagged,
)
from tracker.spec import Scalar

Events = tuple[RunEvent, ...]


def decide(state: Run | None, command: Command) -> Events:
    """Raises a leaf of `Refused`, `NotFound` or `BadInput`."""
    if isinstance(command, RequestRun):
        return _request(state, command)
    if state is None:
        raise NotFound("run", command.run_id)
    match command:
        case StartAttempt():
            return _start(state, command)
        case RecordEnvironment() | RecordParams() | RecordCheckpoint() | RecordArtifact():
            return _record(state, command)
        case RecordEvaluation():
            return _record_evaluation(state, command)
        case DeleteCheckpoint():
            return _delete_checkpoint(state, command)
        case RequestCancellation():
            return _request_cancellation(state, command)
        case RequestPause():
            return _request_pause(state, command)
        case ResumeRun():
            return _resume(state, command)
        case RetryRun():
            return _retry(state, command)
        case (
            ConfirmCancellation()
            | ConfirmPause()
            | LoseAttempt()
            | PreemptAttempt()
            | CompleteRun()
            | FailRun()
        ):
            return _end_attempt(state, command)
        case RenameRun() | TagRun() | NoteRun() | HideRun() | ShowRun():
            return _describe(state, command)
        case _:
            assert_never(command)


def _request(state: Run | None, command: RequestRun) -> Events:
    check_name(command.name)
    check_tags(command.tags)
    requested = RunRequested(
        experiment_id=command.experiment_id,
        name=command.name,
        spec=command.spec,
        tags=command.tags,
        priority=command.priority,
        limits=command.limits,
        device=command.device,
        worker_labels=command.worker_labels,
        forked_from=command.forked_from,
        external=command.external,
        requested_by=command.requested_by,
    )
    if state is None:
        return (requested,)
    if not is_same(state.requested, requested):
        raise errors.RunAlreadyRequested(command.run_id)
    return ()


def _start(run: Run, command: StartAttempt) -> Events:
    started = run.started(command.attempt)
    if started is not None and (started.worker, started.epoch) == (command.worker, command.epoch):
        return ()
    if run.is_ended:
        raise errors.RunAlreadyEnded(command.run_id, run.status)
    if command.attempt != run.attempt:
        raise errors.AttemptNotCurrent(command.run_id, command.attempt, run.attempt)
    if started is not None:
        raise errors.AttemptAlreadyStarted(command.run_id, command.attempt, started.worker)
    if run.status == "paused":
        raise errors.RunIsPaused(command.run_id)
    return (
        RunStarted(
            attempt=command.attempt,
            worker=command.worker,
            epoch=command.epoch,
            resumed_from=run.resume_point,
        ),
    )


def _check_executing(run: Run, command: AttemptCommand | FailRun) -> None:
    """Only the attempt that executes has something to say."""
    if run.is_ended:
        raise errors.RunAlreadyEnded(command.run_id, run.status)
    if command.attempt != run.attempt:
        raise errors.AttemptNotCurrent(command.run_id, command.attempt, run.attempt)
    if run.status == "paused":
        raise errors.RunIsPaused(command.run_id)
    if not run.is_active:
        raise errors.AttemptNotStarted(command.run_id, run.attempt)


# what an attempt records


def _record(
    run: Run, command: RecordEnvironment | RecordParams | RecordCheckpoint | RecordArtifact
) -> Events:
    match command:
        case RecordEnvironment():
            return _record_environment(run, command)
        case RecordParams():
            return _record_params(run, command)
        case RecordCheckpoint():
            return _record_checkpoint(run, command)
        case RecordArtifact():
            return _record_artifact(run, command)
        case _:
            assert_never(command)


_COMPARED = (
    "versions",
    "devices",
    "flags",
    "seed",
    "code_revision",
    "code_diff_digest",
    "lock_digest",
    "dataset_digest",
)


def _record_environment(run: Run, command: RecordEnvironment) -> Events:
    _check_executing(run, command)
    resume, changed = _compare(run, command)
    recorded = RunEnvironmentRecorded(
        attempt=command.attempt,
        versions=command.versions,
        devices=command.devices,
        flags=command.flags,
        seed=command.seed,
        code_revision=command.code_revision,
        code_diff_digest=command.code_diff_digest,
        lock_digest=command.lock_digest,
        dataset_digest=command.dataset_digest,
        resume=resume,
        changed=changed,
    )
    before = run.attempts[-1].environment
    if before is not None and not is_same(before, recorded):
        raise errors.EnvironmentAlreadyRecorded(command.run_id, command.attempt)
    return (recorded,) if before is None else ()


def _compare(
    run: Run, command: RecordEnvironment
) -> tuple[Literal["exact", "changed"] | None, tuple[str, ...]]:
    """Against the environment of the attempt that saved the checkpoint from which this one goes on."""
    point = run.attempts[-1].resumed_from
    if point is None:
        return None, ()
    saved_by = run.started(point.attempt)
    if saved_by is None or saved_by.environment is None:
        return "changed", _COMPARED
    before = saved_by.environment
    changed = tuple(name for name in _COMPARED if getattr(before, name) != getattr(command, name))
    return ("changed", changed) if changed else ("exact", ())


def _record_params(run: Run, command: RecordParams) -> Events:
    _check_executing(run, command)
    for key, value in command.params.items():
        if key in run.params and not _is_same(run.params[key], value):
            raise errors.ParamAlreadyRecorded(command.run_id, key)
    fresh = {key: value for key, value in command.params.items() if key not in run.params}
    return (RunParamsRecorded(params=fresh),) if fresh else ()


def _is_same(left: Scalar, right: Scalar) -> bool:
    """Of one type and value: 1, 1.0 and true are three values, and NaN is itself."""
    return type(left) is type(right) and (left == right or (left != left and right != right))


def _record_checkpoint(run: Run, command: RecordCheckpoint) -> Events:
    saved = run.checkpoint(command.attempt, command.step)
    if saved is not None and saved.digest == command.digest:
        return ()
    _check_executing(run, command)
    if command.step < 0 or command.size_bytes < 0:
        raise BadInput("$.step" if command.step < 0 else "$.size_bytes", "must not be negative")
    last = run.last_checkpoint
    # A new attempt may save at the very step from which it went on, as when it is stopped at once.
    if last is not None and (
        command.step < last.step or (command.step == last.step and last.attempt == command.attempt)
    ):
        raise errors.CheckpointStepNotGrowing(command.run_id, command.step, last.step)
    return (
        RunCheckpointed(
            attempt=command.attempt,
            step=command.step,
            digest=command.digest,
            size_bytes=command.size_bytes,
            loss=command.loss,
            covers=command.covers,
        ),
    )


def _record_artifact(run: Run, command: RecordArtifact) -> Events:
    if (command.attempt, command.path, command.digest) in run.artifacts:
        return ()
    _check_executing(run, command)
    _check_path(command.path)
    return (
        RunArtifactRecorded(
            attempt=command.attempt,
            path=command.path,
            digest=command.digest,
            size_bytes=command.size_bytes,
            media_type=command.media_type,
        ),
    )


def _check_path(path: str) -> None:
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or str(parts) != path or {"..", "."} & set(parts.parts):
        raise BadInput("$.path", f"{path!r} is not a plain relative path with forward slashes")


def _record_evaluation(run: Run, command: RecordEvaluation) -> Events:
    evaluated = RunEvaluated(
        attempt=command.attempt,
        step=command.step,
        benchmark_id=command.benchmark_id,
        evaluation_id=command.evaluation_id,
        scores=command.scores,
    )
    if command.evaluation_id in run.evaluations:
        if not is_same(run.evaluations[command.evaluation_id], evaluated):
            raise errors.EvaluationAlreadyRecorded(command.run_id, command.evaluation_id)
        return ()
    if run.checkpoint(command.attempt, command.step) is None:
        raise errors.CheckpointNotRecorded(command.run_id, command.attempt, command.step)
    return (evaluated,)


def _delete_checkpoint(run: Run, command: DeleteCheckpoint) -> Events:
    saved = run.checkpoint(command.attempt, command.step)
    if saved is None:
        raise errors.CheckpointNotRecorded(command.run_id, command.attempt, command.step)
    if saved.is_deleted:
        return ()
    point = run.resume_point
    is_resume_point = point is not None and (point.attempt, point.step) == (saved.attempt, saved.step)
    if is_resume_point and not run.is_ended:
        raise errors.LastCheckpointOfLiveRun(command.run_id, saved.step)
    return (
        RunCheckpointDeleted(
            attempt=saved.attempt, step=saved.step, digest=saved.digest, policy=command.policy
        ),
    )


# stopping and going on


def _request_cancellation(run: Run, command: RequestCancellation) -> Events:
    if run.status in ("cancelling", "cancelled"):
        return ()
    if run.is_ended:
        raise errors.RunAlreadyEnded(command.run_id, run.status)
    requested = RunCancellationRequested(reason=command.reason)
    return (requested,) if run.is_active else (requested, _cancelled(run))


def _request_pause(run: Run, command: RequestPause) -> Events:
    if run.status in ("pausing", "paused"):
        return ()
    if run.is_ended:
        raise errors.RunAlreadyEnded(command.run_id, run.status)
    if run.status == "cancelling":
        raise errors.RunIsCancelling(command.run_id)
    requested = RunPauseRequested(reason=command.reason)
    return (requested,) if run.is_active else (requested, _paused(run))


def _resume(run: Run, command: ResumeRun) -> Events:
    if run.is_ended:
        raise errors.RunAlreadyEnded(command.run_id, run.status)
    if run.status != "paused":
        raise errors.RunNotPaused(command.run_id, run.status)
    return (RunResumed(attempt=run.attempt + 1, reason=command.reason),)


def _retry(run: Run, command: RetryRun) -> Events:
    if run.status != "failed":
        raise errors.RunNotFailed(command.run_id, run.status)
    return (RunRetried(attempt=run.attempt + 1, why="demand"),)


def _cancelled(run: Run, step: int | None = None) -> RunCancelled:
    point = run.resume_point
    return RunCancelled(
        attempt=run.last_started,
        step=point.step if step is None and point else step,
        checkpoint=point.digest if point else None,
    )


def _paused(run: Run, step: int | None = None) -> RunPaused:
    point = run.resume_point
    return RunPaused(
        attempt=run.last_started,
        step=point.step if step is None and point else step,
        checkpoint=point.digest if point else None,
    )


# how an attempt ends

_EndCommand = ConfirmCancellation | ConfirmPause | LoseAttempt | PreemptAttempt | CompleteRun | FailRun


def _end_attempt(run: Run, command: _EndCommand) -> Events:
    attempt = run.started(command.attempt)
    if attempt is not None and attempt.outcome == _outcome(command):
        return ()
    if isinstance(command, FailRun) and command.attempt is None and run.status == "queued":
        return (_failed(command),)
    _check_executing(run, command)
    match command:
        case ConfirmCancellation():
            return _confirm_cancellation(run, command)
        case ConfirmPause():
            return _confirm_pause(run, command)
        case LoseAttempt():
            return _lose(run, command)
        case PreemptAttempt():
            return _preempt(run, command)
        case CompleteRun():
            return (RunCompleted(attempt=command.attempt, step=command.step, metrics=command.metrics),)
        case FailRun():
            return (_failed(command),)
        case _:
            assert_never(command)


def _outcome(command: _EndCommand) -> Outcome:
    match command:
        case ConfirmCancellation():
            return "cancelled"
        case ConfirmPause():
            return "paused"
        case LoseAttempt():
            return "lost"
        case PreemptAttempt():
            return "preempted"
        case CompleteRun():
            return "completed"
        case FailRun():
            return "failed"
        case _:
            assert_never(command)


def _confirm_cancellation(run: Run, command: ConfirmCancellation) -> Events:
    if not run.cancellation_requested:
        raise errors.CancellationNotRequested(command.run_id)
    return (_cancelled(run, command.step),)


def _confirm_pause(run: Run, command: ConfirmPause) -> Events:
    if not run.pause_requested:
        raise errors.PauseNotRequested(command.run_id)
    return (_paused(run, command.step),)


def _lose(run: Run, command: LoseAttempt) -> Events:
    lost = RunAttemptLost(
        attempt=command.attempt,
        last_heartbeat_at=command.last_heartbeat_at,
        resume_point=run.resume_point,
    )
    is_wanted = run.status == "running"
    if is_wanted and run.losses + 1 >= run.limits.attempts:
        message = f"{run.losses + 1} attempts were lost"
        return (lost, RunFailed(attempt=command.attempt, reason="worker-lost", message=message))
    return (lost, _after_interruption(run, "loss"))


def _preempt(run: Run, command: PreemptAttempt) -> Events:
    point = run.resume_point
    preempted = RunPreempted(
        attempt=command.attempt,
        signal=command.signal,
        step=point.step if command.step is None and point else command.step,
        checkpoint=point.digest if point else None,
    )
    return (preempted, _after_interruption(run, "preemption"))


def _after_interruption(run: Run, why: Literal["loss", "preemption"]) -> RunEvent:
    """What was asked for meanwhile is done now; else the next attempt follows."""
    if run.cancellation_requested:
        return _cancelled(run)
    if run.pause_requested:
        return _paused(run)
    return RunRetried(attempt=run.attempt + 1, why=why)


def _failed(command: FailRun) -> RunFailed:
    return RunFailed(
        attempt=command.attempt,
        reason=command.reason,
        error_class=command.error_class,
        message=command.message,
        last_lines=command.last_lines,
    )


# the human side: always allowed


def _describe(run: Run, command: RenameRun | TagRun | NoteRun | HideRun | ShowRun) -> Events:
    match command:
        case RenameRun():
            check_name(command.name)
            return (RunRenamed(name=command.name),) if command.name != run.name else ()
        case TagRun():
            return _tag(run, command)
        case NoteRun():
            return (RunNoted(note=command.note),) if command.note != run.note else ()
        case HideRun():
            return () if run.is_hidden else (RunHidden(reason=command.reason),)
        case ShowRun():
            return (RunShown(reason=command.reason),) if run.is_hidden else ()
        case _:
            assert_never(command)


def _tag(run: Run, command: TagRun) -> Events:
    check_tags(command.added)
    added = {key: value for key, value in command.added.items() if run.tags.get(key) != value}
    removed = tuple(key for key in command.removed if key in run.tags and key not in command.added)
    return (RunTagged(added=added, removed=removed),) if added or removed else ()
