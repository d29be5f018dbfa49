"""How an attempt's end is told: one command from what its journal, its process and its run say."""

from __future__ import annotations

import signal
from datetime import datetime
from typing import Literal

import msgspec

from runledger.tracker.aggregates.registry import AnyCommand
from runledger.tracker.aggregates.run import (
    CompleteRun,
    ConfirmCancellation,
    ConfirmPause,
    FailRun,
    LoseAttempt,
    PreemptAttempt,
    Run,
)
from runledger.tracker.ids import RunId
from runledger.tracker.journal import Ended

Cause = Literal["request", "preemption", "no-progress", "timed-out"]
"""Why the supervisor stopped the attempt: `request` is a cancellation or a pause."""


class End(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known about how an attempt ended."""

    ended: Ended | None
    """The journal's last word; None if the process was killed."""
    status: int
    """The process's exit status; negative: the signal."""
    cause: Cause | None
    was_out_of_memory: bool
    """The kernel has killed something for want of memory meanwhile."""
    was_terminated: bool = False
    """It was sent SIGTERM, and so was all that it had started."""
    step: int | None
    last_lines: tuple[str, ...]
    at: datetime


def conclude(run: Run, run_id: RunId, attempt: int, end: End) -> AnyCommand:
    """What the training said itself comes first, then what was asked for, then what befell it."""
    if end.ended is not None and end.ended.outcome == "completed":
        return CompleteRun(run_id=run_id, attempt=attempt, step=end.step, metrics=end.ended.metrics)
    if end.ended is not None and end.ended.outcome == "failed" and not _is_our_doing(end, end.ended):
        return _failed(run_id, attempt, end, end.ended)
    if run.cancellation_requested:
        return ConfirmCancellation(run_id=run_id, attempt=attempt, step=end.step)
    if run.pause_requested:
        return ConfirmPause(run_id=run_id, attempt=attempt, step=end.step)
    if end.cause == "preemption":
        return PreemptAttempt(run_id=run_id, attempt=attempt, signal="SIGTERM", step=end.step)
    return _ended_against_its_will(run, run_id, attempt, end)


def _is_our_doing(end: End, ended: Ended) -> bool:
    """A training whose data loaders were terminated may well raise; that is how it was stopped."""
    return end.was_terminated and ended.reason in (None, "error")


def _failed(run_id: RunId, attempt: int, end: End, ended: Ended) -> FailRun:
    return FailRun(
        run_id=run_id,
        attempt=attempt,
        reason=ended.reason or "error",
        error_class=ended.error_class,
        message=ended.message,
        last_lines=end.last_lines,
    )


def _ended_against_its_will(run: Run, run_id: RunId, attempt: int, end: End) -> AnyCommand:
    """What would happen again fails the run; a mere crash costs an attempt."""
    if end.cause in ("no-progress", "timed-out"):
        message = _limit(run, end.cause)
        return FailRun(
            run_id=run_id, attempt=attempt, reason=end.cause, message=message, last_lines=end.last_lines
        )
    if end.was_out_of_memory:
        return FailRun(
            run_id=run_id,
            attempt=attempt,
            reason="out-of-memory",
            message=f"{describe(end.status)}: the machine's memory was exhausted",
            last_lines=end.last_lines,
        )
    if run.losses + 1 < run.limits.attempts:
        return LoseAttempt(
            run_id=run_id,
            attempt=attempt,
            last_heartbeat_at=end.at,
            message=describe(end.status),
            last_lines=end.last_lines,
        )
    return FailRun(
        run_id=run_id,
        attempt=attempt,
        reason="error",
        error_class="ProcessDied",
        message=f"{describe(end.status)} ({run.losses + 1} of {run.limits.attempts} attempts)",
        last_lines=end.last_lines,
    )


def _limit(run: Run, cause: Literal["no-progress", "timed-out"]) -> str:
    if cause == "no-progress":
        return f"no progress for {run.limits.no_progress_seconds:g} s"
    return f"not done after {run.limits.wall_seconds:g} s"


def describe(status: int) -> str:
    """`killed by signal 9 (SIGKILL)`, `exit status 3`."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"killed by signal {-status}"
