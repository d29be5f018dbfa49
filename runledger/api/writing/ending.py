"""How an attempt elsewhere ends: the fact and the end of its lease, together."""

from __future__ import annotations

from typing import assert_never

from sqlalchemy import Connection

from runledger.api.answers import Written
from runledger.api.attempt_requests import EndRequest
from runledger.api.backend import Backend
from runledger.api.writing.attempts import Place, check_started, explain
from runledger.api.writing.telling import told_at
from runledger.tracker.aggregates.errors import RunRefused
from runledger.tracker.aggregates.registry import AnyCommand
from runledger.tracker.aggregates.run import (
    CompleteRun,
    ConfirmCancellation,
    ConfirmStop,
    FailRun,
    LoseAttempt,
    PreemptAttempt,
    RequestCancellation,
)
from runledger.tracker.envelope import Metadata
from runledger.tracker.errors import Fenced
from runledger.tracker.store import leases


def end(backend: Backend, place: Place, request: EndRequest, metadata: Metadata) -> Written:
    """Raises `LeaseLost`, `AttemptEnded` where it has ended otherwise, `StopNotRequested`."""
    check_started(backend, place)
    let_go = leases.revoke if request.outcome == "lost" else leases.release

    def settle(conn: Connection) -> None:
        if not let_go(conn, place.stream, place.epoch):
            raise Fenced(place.stream, place.epoch)

    try:
        done = backend.dispatcher.dispatch_all(
            *_commands(backend, place, request),
            metadata=metadata,
            within=settle,
            occurred_at=told_at(request),
        )
    except (Fenced, RunRefused) as refusal:
        raise explain(backend, place, refusal) from None
    return Written(position=done.position, version=done.version)


def _commands(backend: Backend, place: Place, request: EndRequest) -> tuple[AnyCommand, ...]:
    run_id, attempt, step = place.run_id, place.attempt, request.step
    match request.outcome:
        case "completed":
            metrics = {key: float(value) for key, value in request.metrics.items()}
            return (CompleteRun(run_id=run_id, attempt=attempt, step=step, metrics=metrics),)
        case "failed":
            return (_failed(place, request),)
        case "cancelled":
            asked = RequestCancellation(run_id=run_id, reason=request.message[:2_000])
            return asked, ConfirmCancellation(run_id=run_id, attempt=attempt, step=step)
        case "stopped":
            return (ConfirmStop(run_id=run_id, attempt=attempt, step=step),)
        case "preempted":
            return (PreemptAttempt(run_id=run_id, attempt=attempt, signal=request.signal, step=step),)
        case "lost":
            return (_lost(backend, place, request),)
        case _:
            assert_never(request.outcome)


def _failed(place: Place, request: EndRequest) -> FailRun:
    return FailRun(
        run_id=place.run_id,
        attempt=place.attempt,
        reason=request.reason,
        error_class=request.error_class,
        message=request.message,
        last_lines=request.last_lines,
    )


def _lost(backend: Backend, place: Place, request: EndRequest) -> LoseAttempt:
    with backend.rows() as conn:
        lease = leases.get(conn, place.stream)
    return LoseAttempt(
        run_id=place.run_id,
        attempt=place.attempt,
        last_heartbeat_at=None if lease is None else lease.renewed_at,
        replaced=request.replaced,
    )
