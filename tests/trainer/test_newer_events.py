"""A worker of the older release beside a newer one: it goes on with what it can read, and skips nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

from runledger.tracker.envelope import Metadata, NewEvent, Write
from runledger.tracker.events.base import Event
from runledger.tracker.ids import RunId, id_of, run_stream
from runledger.tracker.store import dispatches, leases
from runledger.tracker.store.cursors import advance, read_cursor
from runledger.tracker.store.engine import read, write
from runledger.tracker.store.tables import cursors
from runledger.trainer.claims import claim_best
from runledger.trainer.reconciler import Reconciler
from runledger.trainer.relay import CURSOR, Relay
from tests.trainer.world import World


class RunAskedForOtherwise(Event, frozen=True, kw_only=True):
    """Asks for an attempt, in a release that is still to come."""

    tag: ClassVar[str] = "RunAskedForOtherwise"


def polish(world: World, run_id: RunId) -> int:
    """The position of an event that this code does not know."""
    stream = run_stream(run_id)
    new = NewEvent(
        event_id=uuid4(),
        event=RunAskedForOtherwise(),
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
        metadata=Metadata(actor="worker:newer"),
    )
    version = world.log.read(stream)[-1].version
    return world.log.append(Write(stream=stream, expected_version=version, events=(new,)))


def queued(world: World) -> list[str]:
    with read(world.engine) as conn:
        return [id_of(row.stream) for row in dispatches.waiting(conn)]


def cursor(world: World) -> int:
    with read(world.engine) as conn:
        return read_cursor(conn, cursors, CURSOR)


def relay_all(relay: Relay) -> None:
    while relay.step():
        pass


def test_the_relay_queues_what_it_can_read_and_keeps_its_place_for_a_newer_one(world: World) -> None:
    first = world.request()
    unread = polish(world, first)
    second = world.request()
    sent: list[str] = []
    relay = Relay(world.log, lambda row: sent.append(id_of(row.stream)))

    relay_all(relay)
    third = world.request()
    relay_all(relay)

    assert sent == queued(world) == [first, second, third]
    assert cursor(world) < unread
    again = Relay(world.log, lambda row: sent.append(id_of(row.stream)))
    relay_all(again)
    assert sent == [first, second, third]


def test_the_relay_follows_once_a_newer_one_has_passed(world: World) -> None:
    first = world.request()
    unread = polish(world, first)
    relay = Relay(world.log, lambda row: None)
    relay_all(relay)
    with write(world.engine) as conn:
        advance(conn, cursors, CURSOR, cursor(world), unread)

    second = world.request()
    relay_all(relay)

    assert cursor(world) == world.log.head()
    assert queued(world) == [first, second]


def test_a_worker_passes_over_a_run_that_it_cannot_read(world: World, tmp_path: Path) -> None:
    services = world.services()
    newer = world.request(priority=9)
    relay_all(Relay(world.log, lambda row: None))
    polish(world, newer)
    known = world.request()
    relay_all(Relay(world.log, lambda row: None))

    claim = claim_best(services)

    assert claim is not None
    assert claim.run_id == known
    assert claim_best(services) is None
    assert queued(world) == [newer]


def test_the_reconciler_finds_others_lost(world: World) -> None:
    newer, known = world.request(), world.request()
    with write(world.engine) as conn:
        for run_id in (newer, known):
            leases.claim(conn, run_stream(run_id), 1, "gone", 0.0)
    polish(world, newer)
    now = [0.0]
    reconciler = Reconciler(
        world.log,
        world.dispatcher,
        lambda row: None,
        lease_seconds=1.0,
        resend_seconds=60.0,
        clock=lambda: now[0],
    )
    for moment in (0.0, 0.4, 0.8, 1.2):
        now[0] = moment
        reconciler.step()

    with read(world.engine) as conn:
        assert [lease.stream for lease in leases.expired(conn)] == [run_stream(newer)]
