"""A process elsewhere takes up a run: its lease and the fact come into being together, or not at all.

Whoever asks again, as its answer was lost, gets the attempt that it has; one that was thought lost
meanwhile returns. Only one process at a time executes a run.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection

from runledger.api.answers import AttemptAnswer
from runledger.api.attempt_requests import AttemptRequest, MeantRun
from runledger.api.backend import Backend
from runledger.api.errors import LeaseHeld
from runledger.api.reading import attempts
from runledger.api.writing import naming
from runledger.api.writing.attempts import load_external, may_return, remember
from runledger.api.writing.telling import told_at
from runledger.tracker.aggregates import errors
from runledger.tracker.aggregates.run import Attempt, ReturnAttempt, Run, SavedState, StartAttempt, point_of
from runledger.tracker.envelope import Metadata
from runledger.tracker.ids import Digest, RunId, run_stream
from runledger.tracker.store import leases
from runledger.tracker.store.leases import Lease

MAX_TRIES = 20


class TooLate(Exception):
    """The run or its lease has changed since it was looked at: look again."""


class Taken(msgspec.Struct, frozen=True):
    """The attempt, and whether it began just now."""

    answer: AttemptAnswer
    is_new: bool


def take_up(backend: Backend, run_id: RunId, request: AttemptRequest, metadata: Metadata) -> Taken:
    """Raises `NotFound`, `RunNotExternal`, `RunAlreadyEnded`, `RunIsAnother`, `AttemptAlreadyStarted`,
    `LeaseHeld` and `CheckpointNotOnLine`."""
    told_at(request)
    for _ in range(MAX_TRIES):
        run = load_external(backend, run_id)
        mine = next((each for each in run.attempts if each.worker == request.worker), None)
        try:
            if mine is None:
                return Taken(_start(backend, run_id, run, request, metadata), is_new=True)
            return Taken(_go_on(backend, run_id, run, mine, request, metadata), is_new=False)
        except TooLate:
            continue
    raise LeaseHeld(run_id)


def _start(
    backend: Backend, run_id: RunId, run: Run, request: AttemptRequest, metadata: Metadata
) -> AttemptAnswer:
    if run.status in ("completed", "cancelled"):
        raise errors.RunAlreadyEnded(run_id, run.status)
    if run.current is not None:
        raise errors.AttemptAlreadyStarted(run_id, run.attempt, run.current.worker)
    check_meant(backend, run_id, run, request.meant)
    saved = _saved(request)
    if request.resume:
        point_of(run, run_id, saved)
    number = run.attempt if run.status == "queued" else run.attempt + 1
    lease = _lease(backend, run_id)
    command = StartAttempt(
        run_id=run_id,
        attempt=number,
        worker=request.worker,
        epoch=_next_epoch(lease),
        resume=request.resume,
        resumed_from=saved,
    )
    return _claim(backend, command, request, metadata, told_at(request))


def check_meant(backend: Backend, run_id: RunId, run: Run, meant: MeantRun | None) -> None:
    """Raises `RunIsAnother`. A param that only one of both has is none that differs."""
    if meant is None:
        return
    if not naming.is_or_was(backend, run.requested.experiment_id, meant.experiment):
        raise errors.RunIsAnother(run_id, f"it is not of experiment {meant.experiment!r}")
    for key in sorted(run.params.keys() & meant.params.keys()):
        known, told = run.params[key], meant.params[key]
        if type(known) is not type(told) or known != told:
            raise errors.RunIsAnother(run_id, f"param {key!r} is {known!r}, not {told!r}")


def _saved(request: AttemptRequest) -> SavedState | None:
    found = request.resumed_from
    return SavedState(step=found.step, digest=Digest(found.digest)) if found else None


def _go_on(
    backend: Backend, run_id: RunId, run: Run, mine: Attempt, request: AttemptRequest, metadata: Metadata
) -> AttemptAnswer:
    """Its lease renewed, or taken again; of an attempt that is over, how it ended."""
    if mine.outcome is not None and not (mine.outcome == "lost" and may_return(run, mine.number)):
        return attempts.answer(backend, run_id, run, mine, None, backend.log.head())
    lease = _lease(backend, run_id)
    if lease is not None and attempts.is_held(lease, mine):
        return _renew(backend, run_id, run, mine, request)
    command = ReturnAttempt(
        run_id=run_id, attempt=mine.number, worker=request.worker, epoch=_next_epoch(lease)
    )
    return _claim(backend, command, request, metadata, occurred_at=None)


def _renew(
    backend: Backend, run_id: RunId, run: Run, mine: Attempt, request: AttemptRequest
) -> AttemptAnswer:
    stream = run_stream(run_id)
    if not leases.renew(backend.ledger, stream, mine.epoch, request.lease_seconds):
        raise TooLate
    return _answer(backend, run_id, run, mine.number, backend.log.head())


def _claim(
    backend: Backend,
    command: StartAttempt | ReturnAttempt,
    request: AttemptRequest,
    metadata: Metadata,
    occurred_at: datetime | None,
) -> AttemptAnswer:
    """`occurred_at` is of the start, which may be told later; whoever returns does so now."""
    stream = run_stream(command.run_id)

    def take(conn: Connection) -> None:
        taken = leases.claim(conn, stream, command.attempt, command.worker, request.lease_seconds)
        if taken != command.epoch:
            raise TooLate

    try:
        done = backend.dispatcher.dispatch(command, metadata, within=take, occurred_at=occurred_at)
    except errors.RunRefused:
        raise TooLate from None
    remember(backend, command.run_id, command.attempt)
    run = load_external(backend, command.run_id)
    return _answer(backend, command.run_id, run, command.attempt, done.position)


def _answer(backend: Backend, run_id: RunId, run: Run, number: int, position: int) -> AttemptAnswer:
    attempt = run.started(number)
    assert attempt is not None
    lease = _lease(backend, run_id)
    if lease is None or not attempts.is_held(lease, attempt):
        raise TooLate
    return attempts.answer(backend, run_id, run, attempt, lease, position)


def _lease(backend: Backend, run_id: RunId) -> Lease | None:
    with backend.rows() as conn:
        return leases.get(conn, run_stream(run_id))


def _next_epoch(lease: Lease | None) -> int:
    return 1 if lease is None else lease.epoch + 1
