"""How an attempt ends, and what follows: the end of the run, or the next attempt."""

from __future__ import annotations

from typing import Literal, assert_never

from msgspec import UNSET

from runledger.tracker.aggregates import errors
from runledger.tracker.aggregates.run.checks import cancelled, check_executing, paused
from runledger.tracker.aggregates.run.commands import (
    CompleteRun,
    ConfirmCancellation,
    ConfirmPause,
    ConfirmStop,
    FailRun,
    LoseAttempt,
    PreemptAttempt,
)
from runledger.tracker.aggregates.run.state import Outcome, Run
from runledger.tracker.events.run import (
    RunAttemptLost,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunPreempted,
    RunRetried,
)

Events = tuple[RunEvent, ...]
EndCommand = (
    ConfirmCancellation | ConfirmPause | ConfirmStop | LoseAttempt | PreemptAttempt | CompleteRun | FailRun
)


def end_attempt(run: Run, command: EndCommand) -> Events:
    attempt = run.started(command.attempt)
    if attempt is not None and attempt.outcome in _outcomes(command):
        return ()
    if isinstance(command, FailRun) and command.attempt is None and run.status == "queued":
        return (_failed(command),)
    check_executing(run, command)
    match command:
        case ConfirmCancellation():
            return _confirm_cancellation(run, command)
        case ConfirmPause():
            return _confirm_pause(run, command)
        case ConfirmStop():
            return _confirm_stop(run, command)
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


def _outcomes(command: EndCommand) -> tuple[Outcome, ...]:
    """Of an attempt that has ended so, the command tells nothing new."""
    match command:
        case ConfirmCancellation():
            return ("cancelled",)
        case ConfirmPause():
            return ("paused",)
        case ConfirmStop():
            return ("cancelled", "paused")
        case LoseAttempt():
            return ("lost",)
        case PreemptAttempt():
            return ("preempted",)
        case CompleteRun():
            return ("completed",)
        case FailRun():
            return ("failed",)
        case _:
            assert_never(command)


def _confirm_cancellation(run: Run, command: ConfirmCancellation) -> Events:
    if not run.cancellation_requested:
        raise errors.CancellationNotRequested(command.run_id)
    return (cancelled(run, command.step),)


def _confirm_pause(run: Run, command: ConfirmPause) -> Events:
    if not run.pause_requested:
        raise errors.PauseNotRequested(command.run_id)
    return (paused(run, command.step),)


def _confirm_stop(run: Run, command: ConfirmStop) -> Events:
    if run.cancellation_requested:
        return (cancelled(run, command.step),)
    if run.pause_requested:
        return (paused(run, command.step),)
    raise errors.StopNotRequested(command.run_id)


def _lose(run: Run, command: LoseAttempt) -> Events:
    lost = RunAttemptLost(
        attempt=command.attempt,
        last_heartbeat_at=command.last_heartbeat_at,
        resume_point=run.resume_point,
        message=command.message or UNSET,
        last_lines=command.last_lines or UNSET,
    )
    is_wanted = run.status == "running"
    if is_wanted and run.is_external and not command.replaced:
        return (lost, _gone(command.attempt, "nothing more was heard of it"))
    if is_wanted and not run.is_external and run.losses + 1 >= run.limits.attempts:
        return (lost, _gone(command.attempt, f"{run.losses + 1} attempts were lost"))
    return (lost, _after_interruption(run, "loss"))


def _gone(attempt: int, message: str) -> RunFailed:
    return RunFailed(attempt=attempt, reason="worker-lost", message=message)


def _preempt(run: Run, command: PreemptAttempt) -> Events:
    point = run.resume_point
    preempted = RunPreempted(
        attempt=command.attempt,
        signal=command.signal,
        step=point.step if command.step is None and point else command.step,
        checkpoint=point.digest if point else None,
    )
    if run.is_external and run.status == "running":
        return (preempted, _gone(command.attempt, f"ended by {command.signal}"))
    return (preempted, _after_interruption(run, "preemption"))


def _after_interruption(run: Run, why: Literal["loss", "preemption"]) -> RunEvent:
    """What was asked for meanwhile is done now; else the next attempt follows."""
    if run.cancellation_requested:
        return cancelled(run)
    if run.pause_requested:
        return paused(run)
    return RunRetried(attempt=run.attempt + 1, why=why)


def _failed(command: FailRun) -> RunFailed:
    return RunFailed(
        attempt=command.attempt,
        reason=command.reason,
        error_class=command.error_class,
        message=command.message,
        last_lines=command.last_lines,
    )
