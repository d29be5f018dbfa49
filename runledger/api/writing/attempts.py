"""Attempts that are executed elsewhere: which of them a request speaks for, and whether it still may.

Whoever executes one names its epoch in the header X-Lease-Epoch, and what it tells is appended under
the fence of that epoch. That an attempt of such a run has started is remembered: it never becomes untrue.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from litestar.params import HeaderParameter, PathParameter

from runledger.api.backend import Backend
from runledger.api.errors import AttemptEnded, LeaseLost
from runledger.api.http.parameters import LAST_ATTEMPT
from runledger.tracker.aggregates import errors
from runledger.tracker.aggregates.registry import RUN
from runledger.tracker.aggregates.run import Run
from runledger.tracker.envelope import Fence
from runledger.tracker.ids import RunId, Stream, run_stream, telemetry_stream
from runledger.tracker.store import leases

LAST_EPOCH = 2**62
REMEMBERED = 10_000

LeaseEpoch: TypeAlias = Annotated[
    int,
    HeaderParameter(
        name="X-Lease-Epoch",
        description="In which the lease is held, as the start of the attempt answered.",
        ge=1,
        le=LAST_EPOCH,
    ),
]
AttemptInPath: TypeAlias = Annotated[int, PathParameter(ge=1, le=LAST_ATTEMPT)]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt that a request speaks for, and the epoch in which it says to hold the lease."""

    run_id: RunId
    attempt: int
    epoch: int

    @property
    def stream(self) -> Stream:
        return run_stream(self.run_id)

    @property
    def telemetry(self) -> Stream:
        return telemetry_stream(self.run_id, self.attempt)

    @property
    def fence(self) -> Fence:
        return Fence(stream=self.stream, epoch=self.epoch)


def place_of(run_id: str, attempt: int, epoch: int) -> Place:
    return Place(run_id=RunId(run_id), attempt=attempt, epoch=epoch)


def is_known(backend: Backend, place: Place) -> bool:
    """Whether it is remembered as a started attempt of a run executed elsewhere. Asks no database."""
    return (place.run_id, place.attempt) in backend.started


def check_started(backend: Backend, place: Place) -> None:
    """Raises `NotFound`, `RunNotExternal` and `AttemptNotStarted`. Asks the log once for each attempt."""
    if not is_known(backend, place):
        run = load_external(backend, place.run_id)
        if run.started(place.attempt) is None:
            raise errors.AttemptNotStarted(place.run_id, place.attempt)
        remember(backend, place.run_id, place.attempt)


def remember(backend: Backend, run_id: RunId, attempt: int) -> None:
    if len(backend.started) >= REMEMBERED:
        backend.started.clear()
    backend.started.add((run_id, attempt))


def load_external(backend: Backend, run_id: RunId) -> Run:
    """The run as it stands now. Raises `NotFound` and `RunNotExternal`."""
    run = backend.dispatcher.load(RUN, run_id)
    if not run.is_external:
        raise errors.RunNotExternal(run_id)
    return run


def check_may_arrive(backend: Backend, place: Place) -> None:
    """For telemetry that its epoch's fence has refused: that of a lost attempt is welcome all the same.

    Raises `LeaseLost` where another epoch holds the lease, `AttemptEnded` where nothing more is to come.
    """
    run = load_external(backend, place.run_id)
    attempt = run.started(place.attempt)
    if attempt is None or attempt.outcome is None:
        raise LeaseLost(place.run_id, place.attempt, place.epoch)
    if attempt.outcome != "lost":
        raise AttemptEnded(place.run_id, place.attempt, attempt.outcome)


def explain(backend: Backend, place: Place, refusal: Exception) -> Exception:
    """What a refused fact means for whoever told it: the lease is lost, the attempt over, or as it was."""
    run = load_external(backend, place.run_id)
    attempt = run.started(place.attempt)
    if attempt is None:
        return refusal
    if attempt.outcome == "lost" and may_return(run, place.attempt):
        return LeaseLost(place.run_id, place.attempt, place.epoch)
    if attempt.outcome is not None:
        return AttemptEnded(place.run_id, place.attempt, attempt.outcome)
    return refusal if _is_held(backend, place) else LeaseLost(place.run_id, place.attempt, place.epoch)


def may_return(run: Run, attempt: int) -> bool:
    """Whether a lost attempt can go on: nothing has followed it."""
    return run.attempt == attempt and run.status in ("failed", "paused")


def _is_held(backend: Backend, place: Place) -> bool:
    with backend.rows() as conn:
        lease = leases.get(conn, place.stream)
    return lease is not None and lease.holder is not None and lease.epoch == place.epoch
