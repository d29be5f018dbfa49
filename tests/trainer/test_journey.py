"""The whole journey with real processes: from a request to the last fact, and whatever may befall it."""

from __future__ import annotations

import pytest

from tests.trainer.world import World
from tracker.events.run import RunCompleted

pytestmark = pytest.mark.system


def test_a_requested_run_is_trained_to_its_end(world: World) -> None:
    benchmark = world.benchmark()
    run_id = world.request(steps=20, benchmark=benchmark)
    world.start_worker()
    run = world.wait_for(run_id, "completed")
    assert [checkpoint.step for checkpoint in run.checkpoints] == [0, 5, 10, 15, 20]
    tags = world.tags(run_id)
    assert tags[:3] == ["RunRequested", "RunStarted", "RunEnvironmentRecorded"]
    assert tags[3:-1] == ["RunCheckpointed", "RunEvaluated"] * 5
    completed = world.events(run_id)[-1]
    assert isinstance(completed, RunCompleted)
    assert (completed.step, completed.metrics["x"]) == (20, world.points(run_id, 1)[-2][2])
