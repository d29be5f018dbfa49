"""What a command leads to in the state that a run is in: events, nothing (it is so already), or a refusal.

An attempt number is given once: whatever makes a run go on takes the next one, so that whatever still
acts for an earlier attempt is refused for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_args

from runledger.tracker.aggregates import errors
from runledger.tracker.aggregates.facts import is_same
from runledger.tracker.aggregates.run.checks import cancelled, paused
from runledger.tracker.aggregates.run.commands import (
    Command,
    DeleteCheckpoint,
    HideRun,
    NoteRun,
    RecordEvaluation,
    RenameRun,
    RequestCancellation,
    RequestPause,
    RequestRun,
    ResumeRun,
    RetryRun,
    ReturnAttempt,
    ShowRun,
    StartAttempt,
    TagRun,
)
from runledger.tracker.aggregates.run.ending import EndCommand, end_attempt
from runledger.tracker.aggregates.run.recording import (
    RecordCommand,
    delete_checkpoint,
    record,
    record_evaluation,
)
from runledger.tracker.aggregates.run.starting import return_attempt, start
from runledger.tracker.aggregates.run.state import Run
from runledger.tracker.aggregates.texts import check_keys, check_name, check_tags
from runledger.tracker.errors import BadInput, NotFound
from runledger.tracker.events.run import (
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
    return _DECIDE[type(command)](state, command)


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
    if run.is_external:
        raise errors.RunIsExternal(command.run_id)
    return (RunResumed(attempt=run.attempt + 1, reason=command.reason),)


def _retry(run: Run, command: RetryRun) -> Events:
    if run.status != "failed":
        raise errors.RunNotFailed(command.run_id, run.status)
    if run.is_external:
        raise errors.RunIsExternal(command.run_id)
    return (RunRetried(attempt=run.attempt + 1, why="demand"),)


# the human side: always allowed


def _rename(run: Run, command: RenameRun) -> Events:
    check_name(command.name)
    return (RunRenamed(name=command.name),) if command.name != run.name else ()


def _note(run: Run, command: NoteRun) -> Events:
    return (RunNoted(note=command.note),) if command.note != run.note else ()


def _hide(run: Run, command: HideRun) -> Events:
    return () if run.is_hidden else (RunHidden(reason=command.reason),)


def _show(run: Run, command: ShowRun) -> Events:
    return (RunShown(reason=command.reason),) if run.is_hidden else ()


def _tag(run: Run, command: TagRun) -> Events:
    check_tags(command.added)
    added = {key: value for key, value in command.added.items() if run.tags.get(key) != value}
    removed = tuple(key for key in command.removed if key in run.tags and key not in command.added)
    return (RunTagged(added=added, removed=removed),) if added or removed else ()


_Given = TypeVar("_Given", bound=Command)


def _by(command: type[_Given], decide_on: Callable[[Run, _Given], Events]) -> _Entry:
    """So that no function stands beside a command that it does not take."""
    return command, decide_on


_Entry = tuple[type, Callable[[Run, Any], Events]]
_DECIDE = dict(
    [
        _by(StartAttempt, start),
        _by(ReturnAttempt, return_attempt),
        *(_by(command, record) for command in get_args(RecordCommand)),
        _by(RecordEvaluation, record_evaluation),
        _by(DeleteCheckpoint, delete_checkpoint),
        _by(RequestCancellation, _request_cancellation),
        _by(RequestPause, _request_pause),
        _by(ResumeRun, _resume),
        _by(RetryRun, _retry),
        *(_by(command, end_attempt) for command in get_args(EndCommand)),
        _by(RenameRun, _rename),
        _by(TagRun, _tag),
        _by(NoteRun, _note),
        _by(HideRun, _hide),
        _by(ShowRun, _show),
    ]
)
"""By the command's type: a `match` over all of them tries one after the other. Without `RequestRun`."""
