"""The claim: lease, row and RunStarted together, for one worker only."""

from __future__ import annotations

import threading

import msgspec
import pytest

from runledger.tracker.aggregates.run import RequestCancellation
from runledger.tracker.ids import new_id, run_stream
from runledger.tracker.spec import DeviceRequest
from runledger.tracker.store import dispatches, leases
from runledger.tracker.store.announcements import Worker
from runledger.tracker.store.engine import read, write
from runledger.trainer import claims
from runledger.trainer.claims import Claim, claim_best
from runledger.trainer.recipe import OwnScorer
from runledger.trainer.relay import Relay
from runledger.trainer.scorers import FoundScorer
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


def found(name: str) -> FoundScorer:
    return FoundScorer(reference=f"x:{name}", name=name, version=1, digest="d")


def test_a_run_is_left_to_a_worker_that_has_its_scorer(world: World) -> None:
    scored = world.request(benchmark=world.benchmark())
    other = world.request()
    relay(world)
    without = world.services("without")
    claim = claim_best(without)
    assert claim is not None
    assert claim.run_id == other
    assert claim_best(without) is None
    assert world.tags(scored) == ["RunRequested"]

    having = msgspec.structs.replace(world.services("having"), scorers=(found("exact_match"),))
    claim = claim_best(having)
    assert claim is not None
    assert claim.run_id == scored


def test_any_number_of_runs_without_a_scorer_hide_none_that_can_be_done(world: World) -> None:
    benchmark = world.benchmark()
    for _ in range(claims.MAX_TRIES + 5):
        world.request(benchmark=benchmark)
    last = world.request()
    relay(world)
    claim = claim_best(world.services())
    assert claim is not None
    assert claim.run_id == last


def test_a_scorer_of_another_version_is_another_one(world: World) -> None:
    world.request(benchmark=world.benchmark())
    relay(world)
    newer = msgspec.structs.replace(found("exact_match"), version=2)
    assert claim_best(msgspec.structs.replace(world.services(), scorers=(newer,))) is None


def test_a_scorer_that_belongs_to_the_recipe_is_there_with_it(world: World) -> None:
    run_id = world.request(benchmark=world.benchmark())
    relay(world)
    services = world.services()
    own = OwnScorer(name="exact_match", version=1)
    recipes = tuple(msgspec.structs.replace(each, own_scorers=(own,)) for each in services.recipes)
    claim = claim_best(msgspec.structs.replace(services, recipes=recipes))
    assert claim is not None
    assert claim.run_id == run_id


def test_a_benchmark_that_is_not_known_is_told_by_the_run(world: World) -> None:
    """The claim goes on: what is missing is the reason with which the run fails."""
    run_id = world.request(benchmark=new_id())
    relay(world)
    claim = claim_best(world.services())
    assert claim is not None
    assert claim.run_id == run_id


def test_looking_through_the_queue_holds_up_no_writer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.request()
    relay(world)
    seen: list[int] = []

    def serves(worker: object, device: object, labels: object) -> bool:
        with write(world.engine) as conn:  # on SQLite one writer at a time
            conn.exec_driver_sql("SELECT 1")
        seen.append(1)
        return False

    monkeypatch.setattr(Worker, "serves", serves)
    assert claim_best(world.services()) is None
    assert seen == [1]
