"""What several decisions share: who may speak, and where a run stopped."""

from __future__ import annotations

from runledger.tracker.aggregates import errors
from runledger.tracker.aggregates.run.commands import AttemptCommand, FailRun
from runledger.tracker.aggregates.run.state import Run
from runledger.tracker.events.run import RunCancelled, RunPaused


def check_executing(run: Run, command: AttemptCommand | FailRun) -> None:
    """Only the attempt that executes has something to say."""
    if run.is_ended:
        raise errors.RunAlreadyEnded(command.run_id, run.status)
    if command.attempt != run.attempt:
        raise errors.AttemptNotCurrent(command.run_id, command.attempt, run.attempt)
    if run.status == "paused":
        raise errors.RunIsPaused(command.run_id)
    if not run.is_active:
        raise errors.AttemptNotStarted(command.run_id, run.attempt)


def cancelled(run: Run, step: int | None = None) -> RunCancelled:
    point = run.resume_point
    return RunCancelled(
        attempt=run.last_started,
        step=point.step if step is None and point else step,
        checkpoint=point.digest if point else None,
    )


def paused(run: Run, step: int | None = None) -> RunPaused:
    point = run.resume_point
    return RunPaused(
        attempt=run.last_started,
        step=point.step if step is None and point else step,
        checkpoint=point.digest if point else None,
    )
