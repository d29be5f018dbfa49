"""How an attempt starts, and how one executed elsewhere returns from being lost.

A run executed elsewhere waits in no queue: where it has failed or is paused, the start of its next
attempt is also what retries or resumes it, in the same append.
"""

from __future__ import annotations

from typing import Literal

from runledger.tracker.aggregates import errors
from runledger.tracker.aggregates.run.commands import ReturnAttempt, SavedState, StartAttempt
from runledger.tracker.aggregates.run.state import Run
from runledger.tracker.events.base import ResumePoint
from runledger.tracker.events.run import RunAttemptReturned, RunEvent, RunResumed, RunRetried, RunStarted

Events = tuple[RunEvent, ...]


def start(run: Run, command: StartAttempt) -> Events:
    started = run.started(command.attempt)
    if started is not None and (started.worker, started.epoch) == (command.worker, command.epoch):
        return ()
    if run.is_external and run.status in ("failed", "paused") and command.attempt == run.attempt + 1:
        return (_going_on(run), _started(run, command))
    if run.is_ended:
        raise errors.RunAlreadyEnded(command.run_id, run.status)
    if command.attempt != run.attempt:
        raise errors.AttemptNotCurrent(command.run_id, command.attempt, run.attempt)
    if started is not None:
        raise errors.AttemptAlreadyStarted(command.run_id, command.attempt, started.worker)
    if run.status == "paused":
        raise errors.RunIsPaused(command.run_id)
    return (_started(run, command),)


def _started(run: Run, command: StartAttempt) -> RunStarted:
    return RunStarted(
        attempt=command.attempt,
        worker=command.worker,
        epoch=command.epoch,
        resumed_from=point_of(run, command.run_id, command.resumed_from) if command.resume else None,
    )


def point_of(run: Run, run_id: str, saved: SavedState | None) -> ResumePoint | None:
    """What an attempt goes on from: the run's last, or what it went on from already."""
    if saved is None:
        return run.resume_point
    for each in reversed(run.checkpoints):
        if each.is_on_line and (each.step, each.digest) == (saved.step, saved.digest):
            return ResumePoint(attempt=each.attempt, step=each.step, digest=each.digest)
    raise errors.CheckpointNotOnLine(run_id, saved.step)


def _going_on(run: Run) -> RunResumed | RunRetried:
    """What makes a run executed elsewhere go on that has failed or is paused."""
    if run.status == "paused":
        return RunResumed(attempt=run.attempt + 1)
    return RunRetried(attempt=run.attempt + 1, why=_why(run))


def _why(run: Run) -> Literal["failure", "loss", "preemption"]:
    match run.attempts[-1].outcome if run.attempts else None:
        case "lost":
            return "loss"
        case "preempted":
            return "preemption"
        case _:
            return "failure"


def return_attempt(run: Run, command: ReturnAttempt) -> Events:
    if not run.is_external:
        raise errors.RunNotExternal(command.run_id)
    attempt = run.started(command.attempt)
    if attempt is None:
        raise errors.AttemptNotStarted(command.run_id, command.attempt)
    if command.attempt != run.attempt:
        raise errors.AttemptNotCurrent(command.run_id, command.attempt, run.attempt)
    if attempt.outcome is None and (attempt.worker, attempt.epoch) == (command.worker, command.epoch):
        return ()
    if run.status in ("completed", "cancelled"):
        raise errors.RunAlreadyEnded(command.run_id, run.status)
    if attempt.outcome not in (None, "lost"):
        raise errors.AttemptNotLost(command.run_id, command.attempt, attempt.outcome)
    if attempt.worker != command.worker:
        raise errors.AttemptAlreadyStarted(command.run_id, command.attempt, attempt.worker)
    return (RunAttemptReturned(attempt=command.attempt, worker=command.worker, epoch=command.epoch),)
