"""The database is gone for longer than a lease lasts: no healthy attempt is declared lost."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from runledger import migrations
from runledger.tracker.store.engine import open_ledger
from tests.postgresql_server import PostgresqlServer
from tests.trainer.test_journey import attempts, start_gated
from tests.trainer.world import World

pytestmark = [pytest.mark.system, pytest.mark.slow]

LEASE_SECONDS = 3.0
OUTAGE_SECONDS = 2.5 * LEASE_SECONDS


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    server = PostgresqlServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def world(server: PostgresqlServer, tmp_path: Path) -> Iterator[World]:
    name = f"outage_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = server.url.replace("/postgres", f"/{name}")
    engine = open_ledger(url)
    migrations.upgrade_ledger(engine)
    engine.dispose()
    world = World(tmp_path, url)
    yield world
    world.close()


@pytest.mark.parametrize("way", ["stopped", "frozen"])
def test_an_outage_longer_than_the_lease_costs_no_attempt(
    world: World, server: PostgresqlServer, way: str
) -> None:
    """Two workers: each other's reconciler sees a lease that ran out long ago, at once after the outage."""
    executing = world.start_worker("one", lease_seconds=LEASE_SECONDS)
    run_id, gate = start_gated(world, gate_at=7, steps=25)
    world.start_worker("two", lease_seconds=LEASE_SECONDS)
    world.wait(lambda: "is ready" in world.workers[-1].output())

    (server.stop if way == "stopped" else server.freeze)()
    began_at = time.monotonic()
    try:
        gate.touch()
        world.wait(lambda: "step 25 " in world.journal_output(run_id))
        world.wait(lambda: time.monotonic() - began_at > OUTAGE_SECONDS)
    finally:
        (server.start if way == "stopped" else server.thaw)()

    run = world.wait_for(run_id, "completed", 120)
    assert attempts(run) == [(1, "completed", None)]
    assert run.attempts[0].worker in executing.output()
    assert [step for key, step, _ in world.points(run_id, 1) if key == "train/x"] == list(range(1, 26))


def test_a_worker_that_dies_during_the_outage_is_noticed_after_it(
    world: World, server: PostgresqlServer
) -> None:
    victim = world.start_worker("one", lease_seconds=LEASE_SECONDS)
    run_id, gate = start_gated(world, gate_at=7, steps=25)
    world.start_worker("two", lease_seconds=LEASE_SECONDS)
    world.wait(lambda: "is ready" in world.workers[-1].output())
    world.wait(lambda: bool(world.run(run_id).checkpoints))

    server.stop()
    victim.kill()
    gate.touch()
    server.start()

    run = world.wait_for(run_id, "completed", 120)
    assert [outcome for _, outcome, _ in attempts(run)] == ["lost", "completed"]
