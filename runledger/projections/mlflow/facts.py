"""What the log says of one run, as far as MLflow is concerned: the domain's own fold, and a few times.

Pure. Which points are *settled* is decided here: those that no later attempt is likely to supersede,
so that MLflow, whose API cannot forget a point, need not be told to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from runledger.tracker.aggregates import run as domain
from runledger.tracker.effective import NOTHING, cut
from runledger.tracker.envelope import Recorded
from runledger.tracker.errors import NotFound
from runledger.tracker.events.base import Covers, Event, ResumePoint
from runledger.tracker.events.run import (
    RunArtifactRecorded,
    RunCancelled,
    RunCheckpointed,
    RunCompleted,
    RunEnvironmentRecorded,
    RunEvaluated,
    RunFailed,
)
from runledger.tracker.ids import RunId

ENDINGS = (RunCompleted, RunFailed, RunCancelled)


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint that counts."""

    event: RunCheckpointed
    is_deleted: bool


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """An evaluation that counts, and when it was recorded."""

    event: RunEvaluated
    at: datetime


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One run, as of `position`, the newest event of its stream."""

    run_id: RunId
    run: domain.Run
    position: int
    requested_at: datetime
    ended_at: datetime | None
    """None unless it is over."""
    failure: RunFailed | None
    environment: RunEnvironmentRecorded | None
    """Of the newest attempt that told."""
    checkpoints: tuple[Saved, ...]
    evaluations: tuple[Scored, ...]
    artifacts: dict[str, RunArtifactRecorded]
    """The newest of each path."""


def fold(run_id: RunId, stream: Iterable[Recorded]) -> Facts:
    """The whole stream of a run. Raises `NotFound` if it is empty."""
    told = [(recorded, recorded.event) for recorded in stream]
    events: list[Any] = [event for _, event in told]
    run = domain.fold(events)
    if run is None:
        raise NotFound("run", run_id)
    ends = [(recorded.occurred_at, event) for recorded, event in told if isinstance(event, ENDINGS)]
    ended_at, ending = ends[-1] if run.is_ended else (None, None)
    return Facts(
        run_id=run_id,
        run=run,
        position=told[-1][0].position,
        requested_at=told[0][0].occurred_at,
        ended_at=ended_at,
        failure=ending if isinstance(ending, RunFailed) else None,
        environment=next((e for e in reversed(events) if isinstance(e, RunEnvironmentRecorded)), None),
        checkpoints=_checkpoints(run, events),
        evaluations=_evaluations(run, told),
        artifacts={event.path: event for event in events if isinstance(event, RunArtifactRecorded)},
    )


def effective(run: domain.Run) -> dict[int, Covers | None]:
    """How much of each attempt's telemetry counts."""
    attempts = {attempt.number: attempt.resumed_from for attempt in run.attempts}
    saved = {
        ResumePoint(attempt=each.attempt, step=each.step, digest=each.digest): each.covers
        for each in run.checkpoints
    }
    return cut(attempts, saved)


def settled(run: domain.Run) -> dict[int, Covers | None]:
    """How much of each attempt's telemetry MLflow is told.

    All that is effective, but of the newest attempt of a run that is not over only what a checkpoint
    covers, if the run saves checkpoints at all. A run that failed is told whole: its end is what
    people look for, and should it be retried, it is written anew.
    """
    limits = effective(run)
    if run.is_ended or not run.checkpoints or not limits:
        return limits
    newest = max(limits)
    own = [each.covers for each in run.checkpoints if each.attempt == newest]
    limits[newest] = max(own, key=lambda covers: (covers.version, covers.offset), default=NOTHING)
    return limits


def _checkpoints(run: domain.Run, events: Sequence[Event]) -> tuple[Saved, ...]:
    """Without those whose points were superseded by an attempt that went on from an earlier one."""
    recorded = [event for event in events if isinstance(event, RunCheckpointed)]
    return tuple(
        Saved(event=event, is_deleted=state.is_deleted)
        for event, state in zip(recorded, run.checkpoints, strict=True)
        if state.is_on_line
    )


def _evaluations(run: domain.Run, told: Sequence[tuple[Recorded, Event]]) -> tuple[Scored, ...]:
    """Those of checkpoints that count; of a state that was not saved, those of attempts that count."""
    kept = {(each.attempt, each.step) for each in run.checkpoints if each.is_on_line}
    dropped = {(each.attempt, each.step) for each in run.checkpoints} - kept
    counting = {attempt for attempt, covers in effective(run).items() if covers != NOTHING}
    return tuple(
        Scored(event=event, at=recorded.occurred_at)
        for recorded, event in told
        if isinstance(event, RunEvaluated)
        if (state := (event.attempt, event.step)) in kept
        or (state not in dropped and event.attempt in counting)
    )
