"""The evaluation: one checkpoint on one benchmark, executed under a lease like a run's attempt.

A lost attempt leaves the evaluation waiting for the next one; how often is the reconciler's decision,
which ends it with `FailEvaluation`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from typing import Literal, assert_never

import msgspec
from msgspec.structs import replace

from runledger.tracker.aggregates import errors
from runledger.tracker.aggregates.facts import is_same
from runledger.tracker.errors import NotFound
from runledger.tracker.events.base import Score
from runledger.tracker.events.evaluation import (
    EvaluationCompleted,
    EvaluationEvent,
    EvaluationFailed,
    EvaluationLost,
    EvaluationRequested,
    EvaluationStarted,
    EvaluationSuperseded,
)
from runledger.tracker.ids import Digest, EvaluationId


class EvaluationCommand(msgspec.Struct, frozen=True, kw_only=True):
    evaluation_id: EvaluationId


class RequestEvaluation(EvaluationCommand, frozen=True, kw_only=True):
    run_id: str
    step: int
    checkpoint: Digest
    benchmark_id: str
    requested_by: str


class StartEvaluation(EvaluationCommand, frozen=True, kw_only=True):
    attempt: int
    worker: str
    epoch: int


class LoseEvaluation(EvaluationCommand, frozen=True, kw_only=True):
    attempt: int
    last_heartbeat_at: datetime | None = None


class CompleteEvaluation(EvaluationCommand, frozen=True, kw_only=True):
    attempt: int
    scores: tuple[Score, ...]
    predictions: Digest
    items: int


class FailEvaluation(EvaluationCommand, frozen=True, kw_only=True):
    """`attempt` is None for an evaluation that fails while it waits for a worker."""

    attempt: int | None = None
    error_class: str
    message: str


class SupersedeEvaluation(EvaluationCommand, frozen=True, kw_only=True):
    """Another evaluation counts in its place (a scorer that was wrong, say)."""

    by: str
    reason: str = ""


Command = (
    RequestEvaluation
    | StartEvaluation
    | LoseEvaluation
    | CompleteEvaluation
    | FailEvaluation
    | SupersedeEvaluation
)

Status = Literal["queued", "running", "completed", "failed"]


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    requested: EvaluationRequested
    status: Status = "queued"
    attempt: int = 1
    """The attempt that executes, waits for a worker, or came last."""
    started: EvaluationStarted | None = None
    """Of the attempt that executes or came last."""
    ended: EvaluationCompleted | EvaluationFailed | None = None
    superseded_by: str | None = None


Events = tuple[EvaluationEvent, ...]


def decide(state: Evaluation | None, command: Command) -> Events:
    if isinstance(command, RequestEvaluation):
        return _request(state, command)
    if state is None:
        raise NotFound("evaluation", command.evaluation_id)
    match command:
        case StartEvaluation():
            return _start(state, command)
        case LoseEvaluation():
            return _lose(state, command)
        case CompleteEvaluation():
            return _complete(state, command)
        case FailEvaluation():
            return _fail(state, command)
        case SupersedeEvaluation():
            return _supersede(state, command)
        case _:
            assert_never(command)


def _request(state: Evaluation | None, command: RequestEvaluation) -> Events:
    requested = EvaluationRequested(
        run_id=command.run_id,
        step=command.step,
        checkpoint=command.checkpoint,
        benchmark_id=command.benchmark_id,
        requested_by=command.requested_by,
    )
    if state is None:
        return (requested,)
    if not is_same(state.requested, requested):
        raise errors.EvaluationAlreadyRequested(command.evaluation_id)
    return ()


def _start(state: Evaluation, command: StartEvaluation) -> Events:
    started = EvaluationStarted(attempt=command.attempt, worker=command.worker, epoch=command.epoch)
    if state.started == started:
        return ()
    if state.ended is not None:
        raise errors.EvaluationAlreadyEnded(command.evaluation_id, state.status)
    _check_attempt(state, command.evaluation_id, command.attempt)
    if state.started is not None and state.status == "running":
        raise errors.EvaluationAlreadyStarted(command.evaluation_id, command.attempt, state.started.worker)
    return (started,)


def _lose(state: Evaluation, command: LoseEvaluation) -> Events:
    _check_executing(state, command.evaluation_id, command.attempt)
    return (EvaluationLost(attempt=command.attempt, last_heartbeat_at=command.last_heartbeat_at),)


def _complete(state: Evaluation, command: CompleteEvaluation) -> Events:
    completed = EvaluationCompleted(
        attempt=command.attempt,
        scores=command.scores,
        predictions=command.predictions,
        items=command.items,
    )
    if state.ended is not None and is_same(state.ended, completed):
        return ()
    _check_executing(state, command.evaluation_id, command.attempt)
    return (completed,)


def _fail(state: Evaluation, command: FailEvaluation) -> Events:
    failed = EvaluationFailed(
        attempt=command.attempt, error_class=command.error_class, message=command.message
    )
    if state.ended is not None and is_same(state.ended, failed):
        return ()
    if command.attempt is not None or state.status != "queued":
        _check_executing(state, command.evaluation_id, command.attempt or 0)
    return (failed,)


def _supersede(state: Evaluation, command: SupersedeEvaluation) -> Events:
    if state.status != "completed":
        raise errors.EvaluationNotCompleted(command.evaluation_id, state.status)
    if state.superseded_by == command.by:
        return ()
    return (EvaluationSuperseded(by=command.by, reason=command.reason),)


def _check_attempt(state: Evaluation, evaluation_id: str, attempt: int) -> None:
    if attempt != state.attempt:
        raise errors.EvaluationAttemptNotCurrent(evaluation_id, attempt, state.attempt)


def _check_executing(state: Evaluation, evaluation_id: str, attempt: int) -> None:
    if state.ended is not None:
        raise errors.EvaluationAlreadyEnded(evaluation_id, state.status)
    _check_attempt(state, evaluation_id, attempt)
    if state.status != "running":
        raise errors.EvaluationNotStarted(evaluation_id)


def evolve(state: Evaluation | None, event: EvaluationEvent) -> Evaluation:
    if isinstance(event, EvaluationRequested):
        return Evaluation(version=1, requested=event)
    if state is None:
        raise ValueError(f"{event.tag} stands before EvaluationRequested")
    return replace(_evolved(state, event), version=state.version + 1)


def _evolved(
    state: Evaluation,
    event: EvaluationStarted | EvaluationLost | EvaluationCompleted | EvaluationFailed | EvaluationSuperseded,
) -> Evaluation:
    match event:
        case EvaluationStarted():
            return replace(state, status="running", attempt=event.attempt, started=event)
        case EvaluationLost():
            return replace(state, status="queued", attempt=event.attempt + 1)
        case EvaluationCompleted():
            return replace(state, status="completed", ended=event)
        case EvaluationFailed():
            return replace(state, status="failed", ended=event)
        case EvaluationSuperseded():
            return replace(state, superseded_by=event.by)
        case _:
            assert_never(event)


def fold(events: Iterable[EvaluationEvent]) -> Evaluation | None:
    return reduce(evolve, events, None)
