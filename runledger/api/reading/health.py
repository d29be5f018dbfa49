"""How the whole fares: what follows the log and how far behind, who works, and what waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

from runledger.api.answers import (
    ConsumerHealth,
    Health,
    LeaseHealth,
    MlflowHealth,
    QuarantinedRun,
    SealHealth,
    WorkerHealth,
)
from runledger.api.backend import Backend
from runledger.api.reading.shapes import shaped
from runledger.projections import positions
from runledger.projections.mlflow import state as mlflow
from runledger.tracker.seal.state import seal_state
from runledger.tracker.store import announcements, leases
from runledger.tracker.store import dispatches as queue
from runledger.tracker.store.announcements import Worker
from runledger.tracker.store.tables import dispatches

LAG_EVENTS = 5_000
"""A consumer further behind than this is a problem worth a sentence."""


def health_of(backend: Backend) -> Health:
    """Raises `StoreUnavailable`."""
    head = backend.log.head()
    with backend.views.read() as conn:
        projections = [_projection(each) for each in positions.status(conn, head)]
        sink = _sink(conn, head)
    with backend.rows() as conn:
        announced = announcements.workers(conn)
        workers = [_worker(backend, each) for each in announced]
        held = [shaped(lease, LeaseHealth) for lease in leases.active(conn)]
        silent = len(leases.expired(conn))
        queued = _queued(conn)
        unserved = list(_unserved(conn, announced))
        seal = _seal(conn)
    consumers = [*projections, *([sink] if sink else []), seal]
    refused = sink.quarantined if sink else []
    problems = [*_lags(consumers), *_refusals(refused), *_absences(workers, queued, silent), *unserved]
    return Health(
        status="degraded" if problems else "ok",
        problems=problems,
        position=head,
        projections=projections,
        mlflow=sink,
        seal=seal,
        workers=workers,
        leases=held,
        queued=queued,
    )


def _lags(consumers: list[ConsumerHealth]) -> Iterator[str]:
    for consumer in consumers:
        if consumer.stopped:
            yield f"{consumer.name} has stopped: {consumer.stopped}"
        elif consumer.lag > LAG_EVENTS:
            yield f"{consumer.name} is {consumer.lag} events behind"


def _refusals(quarantined: list[QuarantinedRun]) -> Iterator[str]:
    for run in quarantined:
        yield f"MLflow would not have run {run.run_id}: {run.reason}"


def _absences(workers: list[WorkerHealth], queued: int, silent: int) -> Iterator[str]:
    """Also a run executed elsewhere needs a worker: it is the one who notices that it fell silent."""
    for worker in workers:
        if worker.is_missing:
            yield f"worker {worker.worker_id} was last seen at {worker.seen_at:%Y-%m-%d %H:%M:%S} UTC"
    if any(not worker.is_missing for worker in workers):
        return
    if queued:
        yield f"{queued} attempts wait, and no worker is there"
    if silent:
        yield f"{silent} attempts fell silent, and no worker is there to find them lost"


def _unserved(conn: Connection, announced: list[Worker]) -> Iterator[str]:
    """Where a recipe was changed or taken away, what was requested of it waits for a worker that has it."""
    if not announced:
        return
    served = {(recipe.name, recipe.digest) for worker in announced for recipe in worker.recipes}
    waiting = queue.waiting(conn)
    counts = Counter(each.recipe for each in waiting if (each.recipe, each.recipe_digest) not in served)
    for recipe, count in sorted(counts.items()):
        yield f"{count} attempts wait for a worker with recipe {recipe!r} as it was when they were requested"


def _projection(status: positions.ProjectionStatus) -> ConsumerHealth:
    at = status.stopped
    return ConsumerHealth(
        name=status.name,
        position=status.position,
        lag=status.lag,
        stopped=None if at is None else f"at {at.position} ({at.event_type}): {at.problem}",
    )


def _sink(conn: Connection, head: int) -> MlflowHealth | None:
    status = mlflow.status(conn)
    if status.url is None:
        return None
    return MlflowHealth(
        name="mlflow",
        position=status.position,
        lag=status.lag(head),
        stopped=status.problem or None,
        quarantined=[shaped(each, QuarantinedRun) for each in status.quarantined],
    )


def _seal(conn: Connection) -> SealHealth:
    state = seal_state(conn)
    return SealHealth(
        name="sealer",
        position=state.size,
        lag=max(0, state.head - state.size),
        stopped=state.problem,
        sealed_at=state.sealed_at,
    )


def _worker(backend: Backend, worker: Worker) -> WorkerHealth:
    assert worker.seen_at is not None
    missing = datetime.now(UTC) - worker.seen_at > timedelta(seconds=backend.settings.worker_missing_seconds)
    return WorkerHealth(
        worker_id=worker.worker_id, state=worker.state, seen_at=worker.seen_at, is_missing=missing
    )


def _queued(conn: Connection) -> int:
    count: int = conn.scalar(select(func.count()).where(dispatches.c.state == "pending")) or 0
    return count
