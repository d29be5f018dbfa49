"""The claim: of all that waits, the best that this worker serves, taken in one transaction.

Lease, dispatch row and `RunStarted` come into being together or not at all. Whoever is too late gets
nothing and looks again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

import msgspec
from sqlalchemy import Connection

from runledger.tracker.aggregates import registry
from runledger.tracker.aggregates.run import Run, StartAttempt
from runledger.tracker.errors import NotFound, Refused, UnknownEvent
from runledger.tracker.ids import RunId, Stream, id_of
from runledger.tracker.store import dispatches, leases
from runledger.tracker.store.dispatches import Dispatch
from runledger.tracker.store.engine import read, write
from runledger.trainer import prometheus
from runledger.trainer.errors import TooLate
from runledger.trainer.needs import scorers_missing
from runledger.trainer.services import Services

logger = logging.getLogger(__name__)

MAX_TRIES = 20
"""Where others are always faster, the next message wakes this worker again."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The right to execute an attempt, for as long as the lease is renewed."""

    run_id: RunId
    stream: Stream
    attempt: int
    epoch: int
    version: int
    """Of the run's stream with `RunStarted`."""


def claim_best(services: Services) -> Claim | None:
    """None where nothing waits that this worker serves. Raises `StoreUnavailable`."""
    left: set[Stream] = set()
    tries = 0
    while tries < MAX_TRIES and (found := _best(services, left)) is not None:
        try:
            if scorers_missing(services, found):
                left.add(found.stream)
                continue
            tries += 1
            return _claim(services, found)
        except TooLate:
            continue
        except UnknownEvent as problem:
            logger.warning(
                "attempt %d of %s is left to a newer worker: %s", found.attempt, found.stream, problem
            )
            left.add(found.stream)
        except (Refused, NotFound) as refusal:
            logger.info("attempt %d of %s is not needed any more: %s", found.attempt, found.stream, refusal)
            drop(services, found)
    return None


def drop(services: Services, row: Dispatch) -> None:
    """Nothing is to be done for the row any more."""
    with write(services.log.engine) as conn:
        dispatches.mark_done(conn, row.stream, row.attempt)


def _best(services: Services, left: Collection[Stream]) -> Dispatch | None:
    served = [(recipe.name, recipe.digest) for recipe in services.recipes]
    with read(services.log.engine) as conn:
        return dispatches.best(conn, recipes=served, serves=services.worker.serves, passing_over=left)


def _claim(services: Services, row: Dispatch) -> Claim:
    run_id = RunId(id_of(row.stream))
    with read(services.log.engine) as conn:
        lease = leases.get(conn, row.stream)
    epoch = lease.epoch + 1 if lease else 1

    def take(conn: Connection) -> None:
        lease_seconds = services.settings.lease_seconds
        taken = leases.claim(conn, row.stream, row.attempt, services.worker_id, lease_seconds)
        if taken != epoch or not dispatches.mark_claimed(conn, row.stream, row.attempt):
            raise TooLate

    start = StartAttempt(run_id=run_id, attempt=row.attempt, worker=services.worker_id, epoch=epoch)
    started = services.dispatcher.dispatch(start, services.metadata, within=take)
    prometheus.STARTED.inc()
    return Claim(run_id=run_id, stream=row.stream, attempt=row.attempt, epoch=epoch, version=started.version)


def load_run(services: Services, run_id: RunId) -> Run:
    return services.dispatcher.load(registry.RUN, run_id)
