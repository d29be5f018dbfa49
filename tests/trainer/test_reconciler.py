"""The reconciler: no state is stuck for ever, and nobody alive is declared lost after an outage."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, tzinfo

import pytest
from sqlalchemy import Connection

from runledger.tracker.aggregates.run import FailRun, RequestCancellation, RequestPause, StartAttempt
from runledger.tracker.ids import RunId, run_stream
from runledger.tracker.store import dispatches, leases
from runledger.tracker.store.dispatches import Dispatch
from runledger.tracker.store.engine import read
from runledger.tracker.store.leases import Lease
from runledger.trainer.claims import Claim, claim_best
from runledger.trainer.reconciler import Reconciler, Sightings, patience
from runledger.trainer.relay import Relay
from tests.trainer.world import SOMEBODY, World

LEASE_SECONDS = 0.3


class Scene:
    """A reconciler on a clock set by hand; the leases run by the database's."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = 0.0
        self.sent: list[Dispatch] = []
        self.reconciler = Reconciler(
            world.log,
            world.dispatcher,
            self.sent.append,
            lease_seconds=LEASE_SECONDS,
            resend_seconds=0.05,
            clock=lambda: self.now,
        )

    def claim(self, **values: int) -> tuple[RunId, Claim]:
        run_id = self.world.request(**values)
        self.relay()
        claim = claim_best(self.world.services(lease_seconds=LEASE_SECONDS))
        assert claim is not None
        return run_id, claim

    def relay(self) -> None:
        relay = Relay(self.world.log, lambda row: None)
        while relay.step():
            pass

    def watch(self, seconds: float, every: float = 0.1) -> None:
        """Steps by the hand-set clock."""
        until = self.now + seconds
        while self.now < until:
            self.reconciler.step()
            self.now += every
        self.reconciler.step()


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


def expire(scene: Scene) -> None:
    def is_expired() -> bool:
        with read(scene.world.engine) as conn:
            return bool(leases.expired(conn))

    scene.world.wait(is_expired, 10)


def test_an_attempt_whose_lease_expires_is_lost_and_tried_again(scene: Scene) -> None:
    run_id, claim = scene.claim()
    expire(scene)
    scene.watch(1)
    run = scene.world.run(run_id)
    assert (run.status, run.attempt, run.attempts[0].outcome) == ("queued", 2, "lost")
    with read(scene.world.engine) as conn:
        lease = leases.get(conn, claim.stream)
    assert lease is not None
    assert (lease.holder, lease.epoch) == (None, 2)
    scene.relay()
    again = claim_best(scene.world.services())
    assert again is not None
    assert (again.attempt, again.epoch) == (2, 3)


def start_elsewhere(scene: Scene) -> RunId:
    run_id = scene.world.request(asked={"external": True})
    command = StartAttempt(run_id=run_id, attempt=1, worker="node-1", epoch=1)

    def take(conn: Connection) -> None:
        assert leases.claim(conn, run_stream(run_id), 1, "node-1", LEASE_SECONDS) == 1

    scene.world.dispatcher.dispatch(command, SOMEBODY, within=take)
    return run_id


def test_an_attempt_executed_elsewhere_is_lost_and_nothing_is_queued(scene: Scene) -> None:
    run_id = start_elsewhere(scene)
    expire(scene)
    scene.watch(1)
    run = scene.world.run(run_id)
    assert (run.status, run.attempt, run.attempts[0].outcome) == ("failed", 1, "lost")
    assert scene.world.tags(run_id)[-2:] == ["RunAttemptLost", "RunFailed"]
    scene.relay()
    with read(scene.world.engine) as conn:
        assert dispatches.waiting(conn) == []
    assert claim_best(scene.world.services()) is None


def test_an_attempt_executed_elsewhere_that_was_asked_to_stop_is_stopped_when_it_is_lost(
    scene: Scene,
) -> None:
    run_id = start_elsewhere(scene)
    scene.world.dispatcher.dispatch(RequestPause(run_id=run_id), SOMEBODY)
    expire(scene)
    scene.watch(1)
    assert scene.world.run(run_id).status == "paused"


def test_a_renewed_lease_is_not_lost(scene: Scene) -> None:
    run_id, claim = scene.claim()
    leases.renew(scene.world.engine, claim.stream, claim.epoch, 60)
    scene.watch(5)
    assert scene.world.run(run_id).status == "running"


def test_after_a_gap_the_time_counts_anew(scene: Scene) -> None:
    run_id, claim = scene.claim()
    expire(scene)
    scene.reconciler.step()
    scene.now += 3600  # the database was away
    scene.reconciler.step()
    assert scene.world.run(run_id).status == "running"
    leases.renew(scene.world.engine, claim.stream, claim.epoch, 60)
    scene.watch(5)
    assert scene.world.run(run_id).status == "running"


def test_after_a_machine_has_slept_whoever_is_alive_renews_first(scene: Scene) -> None:
    run_id, claim = scene.claim()
    leases.renew(scene.world.engine, claim.stream, claim.epoch, 60)
    scene.watch(5)
    leases.renew(scene.world.engine, claim.stream, claim.epoch, 0.05)
    expire(scene)  # by the database's clock alone: those of the processes stood still
    scene.reconciler.step()
    assert scene.world.run(run_id).status == "running"
    leases.renew(scene.world.engine, claim.stream, claim.epoch, 60)
    scene.watch(5)
    assert scene.world.run(run_id).status == "running"


def test_two_reconcilers_lose_an_attempt_once(scene: Scene) -> None:
    run_id, _ = scene.claim()
    expire(scene)
    other = Scene(scene.world)
    for each in (scene, other):
        each.watch(1)
    assert scene.world.tags(run_id).count("RunAttemptLost") == 1


def test_a_lost_run_that_was_to_be_cancelled_is_cancelled(scene: Scene) -> None:
    run_id, _ = scene.claim()
    scene.world.dispatcher.dispatch(RequestCancellation(run_id=run_id), SOMEBODY)
    expire(scene)
    scene.watch(1)
    assert scene.world.run(run_id).status == "cancelled"


def test_the_lease_of_an_attempt_that_has_ended_is_let_go(scene: Scene) -> None:
    run_id, claim = scene.claim()
    scene.world.dispatcher.dispatch(FailRun(run_id=run_id, attempt=1, reason="error"), SOMEBODY)
    expire(scene)
    scene.watch(1)
    with read(scene.world.engine) as conn:
        assert leases.expired(conn) == []
        row = dispatches.get(conn, claim.stream, 1)
    assert row is not None
    assert row.state == "done"
    assert scene.world.tags(run_id)[-1] == "RunFailed"


def test_a_message_without_effect_is_sent_again_less_and_less_often(scene: Scene) -> None:
    run_id = scene.world.request()
    scene.relay()
    scene.reconciler.step()
    assert scene.sent == []
    deadline = time.monotonic() + 60
    while len(scene.sent) < 3:
        assert time.monotonic() < deadline
        scene.reconciler.step()
        time.sleep(0.01)
    assert {row.stream for row in scene.sent} == {run_stream(run_id)}
    assert [row.send_count for row in scene.sent] == [1, 2, 3]


def test_the_patience_for_a_message_is_told_by_the_clock_of_the_database(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Behind(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Behind:
            return cls(2001, 1, 1, tzinfo=tz)

    monkeypatch.setattr("runledger.trainer.reconciler.datetime", Behind)  # this machine's clock is far behind
    scene.world.request()
    scene.relay()
    deadline = time.monotonic() + 60
    while not scene.sent:
        assert time.monotonic() < deadline
        scene.reconciler.step()
        time.sleep(0.01)


@pytest.mark.parametrize(("messages", "seconds"), [(1, 10), (2, 20), (3, 40), (7, 640), (50, 640)])
def test_the_patience_for_a_message_doubles_up_to_a_bound(messages: int, seconds: int) -> None:
    row = Dispatch(
        stream=run_stream(RunId("5f" * 16)),
        attempt=1,
        position=1,
        recipe="toy",
        recipe_digest="",
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
        send_count=messages,
    )
    assert patience(row, resend_seconds=10) == timedelta(seconds=seconds)


def test_a_free_worker_asks_again_without_growing_patience(scene: Scene) -> None:
    scene.world.request()
    scene.relay()
    eager: list[Dispatch] = []
    reconciler = Reconciler(
        scene.world.log,
        scene.world.dispatcher,
        eager.append,
        lease_seconds=1,
        resend_seconds=0.01,
        could_execute=lambda row: True,
    )
    deadline = time.monotonic() + 60
    while len(eager) < 12:
        assert time.monotonic() < deadline
        reconciler.step()
        time.sleep(0.01)


def lease(renewed: int = 0, epoch: int = 1) -> Lease:
    renewed_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=renewed)
    return Lease(
        stream=run_stream(RunId("5f" * 16)),
        attempt=1,
        epoch=epoch,
        holder="w",
        expires_at=renewed_at + timedelta(seconds=15),
        renewed_at=renewed_at,
        phase=None,
        done=None,
        total=None,
        progressed_at=renewed_at,
    )


def test_a_lease_is_looked_at_for_as_long_as_it_is_seen_with_one_heartbeat() -> None:
    sightings = Sightings()
    for now in (10.0, 11.0, 12.0):
        sightings.look([lease()], now, gap_seconds=1.5)
    assert sightings.seconds(lease()) == 2.0


@pytest.mark.parametrize("other", [lease(renewed=1), lease(epoch=2)], ids=["renewed", "claimed anew"])
def test_with_another_heartbeat_the_time_counts_anew(other: Lease) -> None:
    sightings = Sightings()
    for now in (10.0, 11.0):
        sightings.look([lease()], now, gap_seconds=1.5)
    for now in (12.0, 13.0):
        sightings.look([other], now, gap_seconds=1.5)
    assert sightings.seconds(other) == 1.0
    assert sightings.seconds(lease()) == 0.0


def test_time_in_which_nothing_was_seen_does_not_count() -> None:
    sightings = Sightings()
    for now in (10.0, 11.0, 20.0, 21.0):
        sightings.look([lease()], now, gap_seconds=1.5)
    assert sightings.seconds(lease()) == 1.0
