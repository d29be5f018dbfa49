"""What keeps the lease: it tells apart a lease that was given back from one that was taken away."""

from __future__ import annotations

import logging

import pytest

from runledger.tracker.journal import Progress
from runledger.tracker.store import leases
from runledger.tracker.store.engine import write
from runledger.trainer.claims import Claim, claim_best
from runledger.trainer.heartbeat import Heartbeat
from runledger.trainer.relay import Relay
from tests.system.installation import until
from tests.trainer.world import World


@pytest.fixture
def claim(sqlite_world: World) -> Claim:
    sqlite_world.request()
    relay = Relay(sqlite_world.log, lambda row: None)
    while relay.step():
        pass
    claim = claim_best(sqlite_world.services())
    assert claim is not None
    return claim


def heartbeat(world: World, claim: Claim) -> Heartbeat:
    return Heartbeat(
        world.log, claim, lease_seconds=0.03, poll_seconds=0.01, progress=lambda: Progress(phase="training")
    )


def test_a_lease_that_its_own_end_has_given_back_is_not_lost(
    sqlite_world: World, claim: Claim, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[int] = []
    with heartbeat(sqlite_world, claim) as beats:
        progress = beats._progress
        beats._progress = lambda: asked.append(1) or progress()  # type: ignore[func-returns-value]
        with write(sqlite_world.engine) as conn:
            assert leases.release(conn, claim.stream, claim.epoch)
        before = len(asked)
        until(lambda: len(asked) > before + 2, 30, "heartbeats after the end", every=0.01)
    assert not beats.is_lost.is_set()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_lease_that_was_taken_away_is_lost(
    sqlite_world: World, claim: Claim, caplog: pytest.LogCaptureFixture
) -> None:
    with heartbeat(sqlite_world, claim) as beats:
        with write(sqlite_world.engine) as conn:
            assert leases.revoke(conn, claim.stream, claim.epoch)
        assert beats.is_lost.wait(30)
    assert "is not held any more" in caplog.text
