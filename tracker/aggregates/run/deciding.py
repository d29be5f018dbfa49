"""What a command leads to in the state that a run is in: events, nothing (it is so already), or a refusal.

An attempt number is given once: every way back into the queue takes the next one, so that whatever
still acts for an earlier attempt is refused for ever.
"""

from __future__ import annotations

from typing import assert_never

from tracker.aggregates import errors
from tracker.aggregates.facts import is_same
from tracker.aggregates.run.checks import cancelled, paused
from tracker.aggregates.run.commands import (
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
from tracker.aggregates.run.ending import end_attempt
from tracker.aggregates.run.recording import delete_checkpoint, record, record_evaluation
from tracker.aggregates.run.state import Run
from tracker.aggregates.texts import check_keys, check_name, check_tags
from tracker.errors import BadInput, NotFound
from tracker.events.run import (
    RunCancellationRequested,
    RunEvent,
    RunHidden,
    RunNoted,
    RunPauseRequested,
    RunRenamed,
    RunRequested,
    RunResumed,
    RunRetried,
    RunShown,
    RunStarted,
    RunTagged,
)

Events = tuple[RunEvent, ...]
MAX_PRIORITY = 1_000_000


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
            return record(state, command)
        case RecordEvaluation():
            return record_evaluation(state, command)
        case DeleteCheckpoint():
            return delete_checkpoint(state, command)
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
            return end_attempt(state, command)
        case RenameRun() | TagRun() | NoteRun() | HideRun() | ShowRun():
            return _describe(state, command)
        case _:
            assert_never(command)


def _request(state: Run | None, command: RequestRun) -> Events:
    check_name(command.name)
    check_tags(command.tags)
    check_keys(command.spec.params(), "$.spec")
    if abs(command.priority) > MAX_PRIORITY:
        raise BadInput("$.priority", f"must lie between -{MAX_PRIORITY} and {MAX_PRIORITY}")
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


# stopping and going on


def _request_cancellation(run: Run, command: RequestCancellation) -> Events:
    if run.status in ("cancelling", "cancelled"):
        return ()
    if run.is_ended:
        raise errors.RunAlreadyEnded(command.run_id, run.status)
    requested = RunCancellationRequested(reason=command.reason)
    return (requested,) if run.is_active else (requested, cancelled(run))


def _request_pause(run: Run, command: RequestPause) -> Events:
    if run.status in ("pausing", "paused"):
        return ()
    if run.is_ended:
        raise errors.RunAlreadyEnded(command.run_id, run.status)
    if run.status == "cancelling":
        raise errors.RunIsCancelling(command.run_id)
    requested = RunPauseRequested(reason=command.reason)
    return (requested,) if run.is_active else (requested, paused(run))


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
