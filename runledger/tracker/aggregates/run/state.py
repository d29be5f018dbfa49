"""A run as its events leave it. `evolve` never refuses: what happened, happened.

The *line* is what counts: an attempt goes on from a checkpoint, and whatever an earlier attempt saved
after that point is off the line, kept but never gone on from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any, Literal, TypeVar, assert_never, get_args

import msgspec
from msgspec.structs import replace

from runledger.tracker.events.base import Covers, ResumePoint
from runledger.tracker.events.run import (
    RunArtifactRecorded,
    RunAttemptLost,
    RunAttemptReturned,
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
from runledger.tracker.ids import Digest
from runledger.tracker.spec import Limits, RunSpec, Scalar

Status = Literal["queued", "running", "pausing", "paused", "cancelling", "completed", "failed", "cancelled"]
Outcome = Literal["completed", "failed", "cancelled", "paused", "lost", "preempted"]

ACTIVE: frozenset[Status] = frozenset({"running", "pausing", "cancelling"})
"""An attempt is executing."""
ENDED: frozenset[Status] = frozenset({"completed", "failed", "cancelled"})


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that has started."""

    number: int
    worker: str
    epoch: int
    resumed_from: ResumePoint | None
    environment: RunEnvironmentRecorded | None = None
    outcome: Outcome | None = None
    """None while it executes, also of one that was thought lost and has returned."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    attempt: int
    step: int
    digest: Digest
    covers: Covers
    is_deleted: bool = False
    is_on_line: bool = True
    """False once a later attempt went on from an earlier point."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    requested: RunRequested
    status: Status
    attempt: int
    """The attempt that executes, waits for a worker, or came last."""
    attempts: tuple[Attempt, ...] = ()
    losses: int = 0
    """Attempts that count against `limits.attempts`: those lost since somebody last retried the run."""
    checkpoints: tuple[Checkpoint, ...] = ()
    """All that were recorded, in the order of the log."""
    params: dict[str, Scalar] = {}
    artifacts: frozenset[tuple[int, str, Digest]] = frozenset()
    evaluations: dict[str, RunEvaluated] = {}
    name: str
    tags: dict[str, str] = {}
    note: str = ""
    is_hidden: bool = False

    @property
    def spec(self) -> RunSpec:
        return self.requested.spec

    @property
    def limits(self) -> Limits:
        return self.requested.limits

    @property
    def is_external(self) -> bool:
        """Executed elsewhere: it is in no queue of ours, and whoever executes it says when it goes on."""
        return self.requested.external

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def is_ended(self) -> bool:
        return self.status in ENDED

    @property
    def cancellation_requested(self) -> bool:
        """The attempt that executes is asked to stop for good."""
        return self.status == "cancelling"

    @property
    def pause_requested(self) -> bool:
        """The attempt that executes is asked to stop for now."""
        return self.status == "pausing"

    @property
    def current(self) -> Attempt | None:
        """The attempt that executes."""
        return self.attempts[-1] if self.is_active else None

    @property
    def last_started(self) -> int | None:
        """The number of the attempt that started last."""
        return self.attempts[-1].number if self.attempts else None

    @property
    def last_checkpoint(self) -> Checkpoint | None:
        """The last on the line, deleted or not."""
        return next((each for each in reversed(self.checkpoints) if each.is_on_line), None)

    @property
    def resume_point(self) -> ResumePoint | None:
        """What the next attempt starts from: the last on the line that is not deleted."""
        for each in reversed(self.checkpoints):
            if each.is_on_line and not each.is_deleted:
                return ResumePoint(attempt=each.attempt, step=each.step, digest=each.digest)
        return None

    def started(self, number: int | None) -> Attempt | None:
        """The attempt of that number, once it has started."""
        return next((each for each in self.attempts if each.number == number), None)

    def checkpoint(self, attempt: int, step: int) -> Checkpoint | None:
        """What that attempt saved at that step, deleted or not."""
        found = (each for each in self.checkpoints if (each.attempt, each.step) == (attempt, step))
        return next(found, None)


def fold(events: Iterable[RunEvent]) -> Run | None:
    """The state after all of a stream's events; None for an empty stream."""
    return reduce(evolve, events, None)


def evolve(state: Run | None, event: RunEvent) -> Run:
    if isinstance(event, RunRequested):
        return _requested(event)
    if state is None:
        raise ValueError(f"{event.tag} stands before RunRequested")
    return replace(_EVOLVE[type(event)](state, event), version=state.version + 1)


def _requested(event: RunRequested) -> Run:
    return Run(
        version=1,
        requested=event,
        status="queued",
        attempt=1,
        params=event.spec.params(),
        name=event.name,
        tags=event.tags,
    )


_AttemptChange = RunStarted | RunRetried | RunResumed | RunAttemptLost | RunAttemptReturned | RunPreempted


def _attempt_changed(run: Run, event: _AttemptChange) -> Run:
    match event:
        case RunStarted():
            return _started(run, event)
        case RunRetried():
            losses = 0 if event.why == "demand" else run.losses
            return replace(run, status="queued", attempt=event.attempt, losses=losses)
        case RunResumed():
            return replace(run, status="queued", attempt=event.attempt)
        case RunAttemptLost():
            return replace(_with_outcome(run, "lost"), losses=run.losses + 1)
        case RunAttemptReturned():
            return _returned(run, event)
        case RunPreempted():
            return _with_outcome(run, "preempted")
        case _:
            assert_never(event)


def _returned(run: Run, event: RunAttemptReturned) -> Run:
    """As if it had never been lost: what was asked of it stands, also the pause of a paused run."""
    attempt = replace(run.attempts[-1], worker=event.worker, epoch=event.epoch, outcome=None)
    attempts = (*run.attempts[:-1], attempt)
    if run.is_active:
        return replace(run, attempts=attempts)
    return replace(run, status="pausing" if run.status == "paused" else "running", attempts=attempts)


def _started(run: Run, event: RunStarted) -> Run:
    attempt = Attempt(
        number=event.attempt, worker=event.worker, epoch=event.epoch, resumed_from=event.resumed_from
    )
    return replace(
        run,
        status="running",
        attempt=event.attempt,
        attempts=(*run.attempts, attempt),
        checkpoints=_cut(run.checkpoints, event.resumed_from),
    )


def _cut(checkpoints: tuple[Checkpoint, ...], point: ResumePoint | None) -> tuple[Checkpoint, ...]:
    """Takes what was saved after `point` off the line; everything where an attempt starts from nothing."""
    kept = -1
    for index, each in enumerate(checkpoints):
        if point is not None and (each.attempt, each.step) == (point.attempt, point.step):
            kept = index
    return tuple(
        each if index <= kept else replace(each, is_on_line=False) for index, each in enumerate(checkpoints)
    )


_StopRequest = RunCancellationRequested | RunPauseRequested


def _stop_requested(run: Run, event: _StopRequest) -> Run:
    if not run.is_active:
        return run
    return replace(run, status="cancelling" if isinstance(event, RunCancellationRequested) else "pausing")


_Stop = RunCompleted | RunFailed | RunCancelled | RunPaused


def _stopped(run: Run, event: _Stop) -> Run:
    match event:
        case RunCompleted():
            return replace(_with_outcome(run, "completed"), status="completed")
        case RunFailed():
            return replace(_with_outcome(run, "failed"), status="failed")
        case RunCancelled():
            return replace(_with_outcome(run, "cancelled"), status="cancelled")
        case RunPaused():
            return replace(_with_outcome(run, "paused"), status="paused")
        case _:
            assert_never(event)


def _with_outcome(run: Run, outcome: Outcome) -> Run:
    """Ends the executing attempt, where there is one: an outcome once given stays."""
    if run.current is None or run.current.outcome is not None:
        return run
    return replace(run, attempts=(*run.attempts[:-1], replace(run.current, outcome=outcome)))


_Record = (
    RunEnvironmentRecorded
    | RunParamsRecorded
    | RunCheckpointed
    | RunCheckpointDeleted
    | RunArtifactRecorded
    | RunEvaluated
)


def _recorded(run: Run, event: _Record) -> Run:
    match event:
        case RunEnvironmentRecorded():
            attempts = (*run.attempts[:-1], replace(run.attempts[-1], environment=event))
            return replace(run, attempts=attempts)
        case RunParamsRecorded():
            return replace(run, params=run.params | event.params)
        case RunCheckpointed():
            return replace(run, checkpoints=(*run.checkpoints, _checkpoint(event)))
        case RunCheckpointDeleted():
            return replace(run, checkpoints=tuple(_deleted(each, event) for each in run.checkpoints))
        case RunArtifactRecorded():
            return replace(run, artifacts=run.artifacts | {(event.attempt, event.path, event.digest)})
        case RunEvaluated():
            return replace(run, evaluations=run.evaluations | {event.evaluation_id: event})
        case _:
            assert_never(event)


def _checkpoint(event: RunCheckpointed) -> Checkpoint:
    return Checkpoint(attempt=event.attempt, step=event.step, digest=event.digest, covers=event.covers)


def _deleted(checkpoint: Checkpoint, event: RunCheckpointDeleted) -> Checkpoint:
    if (checkpoint.attempt, checkpoint.step) != (event.attempt, event.step):
        return checkpoint
    return replace(checkpoint, is_deleted=True)


def _renamed(run: Run, event: RunRenamed) -> Run:
    return replace(run, name=event.name)


def _tagged(run: Run, event: RunTagged) -> Run:
    kept = {key: value for key, value in run.tags.items() if key not in event.removed}
    return replace(run, tags=kept | event.added)


def _noted(run: Run, event: RunNoted) -> Run:
    return replace(run, note=event.note)


def _hidden(run: Run, event: RunHidden) -> Run:
    return replace(run, is_hidden=True)


def _shown(run: Run, event: RunShown) -> Run:
    return replace(run, is_hidden=False)


_Happened = TypeVar("_Happened", bound=RunEvent)


def _by(event: type[_Happened], evolve_by: Callable[[Run, _Happened], Run]) -> _Entry:
    """So that no function stands beside an event that it does not take."""
    return event, evolve_by


_Entry = tuple[type, Callable[[Run, Any], Run]]
_EVOLVE = dict(
    [
        *(_by(event, _attempt_changed) for event in get_args(_AttemptChange)),
        *(_by(event, _stop_requested) for event in get_args(_StopRequest)),
        *(_by(event, _stopped) for event in get_args(_Stop)),
        *(_by(event, _recorded) for event in get_args(_Record)),
        _by(RunRenamed, _renamed),
        _by(RunTagged, _tagged),
        _by(RunNoted, _noted),
        _by(RunHidden, _hidden),
        _by(RunShown, _shown),
    ]
)
"""By the event's type: a `match` over all of them tries one after the other. Without `RunRequested`."""
