"""The claim: lease, row and RunStarted together, for one worker only."""

from __future__ import annotations

import threading

from runledger.tracker.aggregates.run import RequestCancellation
from runledger.tracker.ids import run_stream
from runledger.tracker.spec import DeviceRequest
from runledger.tracker.store import dispatches, leases
from runledger.tracker.store.engine import read, write
from runledger.trainer.claims import Claim, claim_best
from runledger.trainer.relay import Relay
from tests.trainer.world import SOMEBODY, World


def relay(world: World) -> None:
    relay = Relay(world.log, lambda row: None)
    while relay.step():
        pass


def test_a_claim_is_a_lease_a_row_and_a_fact(world: World) -> None:
    run_id = world.request()
    relay(world)
    claim = claim_best(world.services())
    assert claim == Claim(run_id=run_id, stream=run_stream(run_id), attempt=1, epoch=1, version=2)
    with read(world.engine) as conn:
        lease, row = leases.get(conn, claim.stream), dispatches.get(conn, claim.stream, 1)
    assert lease is not None
    assert row is not None
    assert (lease.holder, lease.epoch, row.state) == ("here", 1, "claimed")
    assert world.run(run_id).attempts[0].worker == "here"


def test_there_is_nothing_to_claim_twice(world: World) -> None:
    world.request()
    relay(world)
    assert claim_best(world.services("one")) is not None
    assert claim_best(world.services("two")) is None


def test_many_workers_claim_each_run_once(world: World) -> None:
    runs = {world.request() for _ in range(8)}
    relay(world)
    claims: list[Claim] = []

    def work(name: str) -> None:
        while (claim := claim_best(world.services(name))) is not None:
            claims.append(claim)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claim.run_id for claim in claims) == sorted(runs)


def test_the_best_is_claimed_first(world: World) -> None:
    low, first, second = world.request(), world.request(priority=5), world.request(priority=5)
    relay(world)
    claimed = [claim_best(world.services()) for _ in range(3)]
    assert [claim.run_id for claim in claimed if claim] == [first, second, low]


def test_what_this_worker_does_not_serve_is_left_to_others(world: World) -> None:
    world.request(asked={"device": DeviceRequest(kind="gpu")})
    world.request(asked={"worker_labels": {"rack": "8"}})
    mine = world.request(asked={"worker_labels": {"rack": "7"}})
    relay(world)
    claim = claim_best(world.services())
    assert claim is not None
    assert claim.run_id == mine
    assert claim_best(world.services()) is None


def test_a_row_whose_run_was_cancelled_meanwhile_is_dropped(world: World) -> None:
    run_id = world.request()
    relay(world)
    world.dispatcher.dispatch(RequestCancellation(run_id=run_id), SOMEBODY)
    assert claim_best(world.services()) is None
    with read(world.engine) as conn:
        assert dispatches.waiting(conn) == []


def test_a_lease_that_somebody_holds_is_respected(world: World) -> None:
    run_id = world.request()
    relay(world)
    with write(world.engine) as conn:
        leases.claim(conn, run_stream(run_id), 1, "somebody", 60)
    assert claim_best(world.services()) is None
    assert world.tags(run_id) == ["RunRequested"]
