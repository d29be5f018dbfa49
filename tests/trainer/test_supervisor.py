"""A supervisor in this process, with one thing that goes wrong."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from runledger.trainer.claims import claim_best
from runledger.trainer.relay import Relay
from runledger.trainer.spares import Spares
from runledger.trainer.supervisor import Drain, Supervisor
from tests.trainer.world import World


def test_a_training_that_cannot_be_shipped_is_not_continued(
    sqlite_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("runledger.trainer.telemetry.Telemetry.ship_batch", broken)
    run_id = sqlite_world.request(steps=20, gate=str(tmp_path / "never"), gate_at=8)
    relay = Relay(sqlite_world.log, lambda row: None)
    while relay.step():
        pass
    services = sqlite_world.services(lease_seconds=5)
    claim = claim_best(services)
    assert claim is not None

    supervisor = Supervisor(services, claim, Drain.new(), Spares(0))
    supervising = threading.Thread(target=supervisor.supervise, daemon=True)
    supervising.start()
    supervising.join(60)

    assert not supervising.is_alive()
    assert sqlite_world.run(run_id).status == "running"  # until its lease expires
    assert [path.name for path in services.attempts.iterdir()] == [f"{run_id}-1"]
