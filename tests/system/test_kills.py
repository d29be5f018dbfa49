"""SIGKILL in the middle of a training: the run resumes, and its curve is that of an undisturbed twin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runledger.api.answers import Run
from tests.system.conftest import MlflowServer
from tests.system.installation import Installation, until
from tests.system.mirror import assert_mirrored, mlflow_client
from tests.system.requests import tiny_lm

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.xdist_group("kills")]

Curve = list[tuple[int, float]]
CURVES = ("train/loss", "train/grad_norm", "train/learning_rate", "eval/exact_match")


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, mlflow_server_of_all: MlflowServer
) -> Iterator[Installation]:
    made = Installation(
        tmp_path_factory.mktemp("kills") / "data", {"RUNLEDGER_MLFLOW_URL": mlflow_server_of_all.url}
    )
    yield made.wait_until_up()
    made.close()


@pytest.fixture(scope="module")
def twin(installation: Installation) -> Run:
    """The same spec, left in peace."""
    launched = installation.client.launch(**tiny_lm("kills"))
    run = installation.client.wait(launched.run_id, timeout_seconds=150)
    assert run.status == "completed"
    assert len(run.attempts) == 1
    return run


@pytest.mark.parametrize("victim", ["attempt", "trainer"])
def test_the_curve_of_a_killed_run_is_that_of_its_twin(
    installation: Installation, twin: Run, mlflow_server_of_all: MlflowServer, victim: str
) -> None:
    ledger = installation.client
    launched = ledger.launch(**tiny_lm("kills"))
    until(lambda: is_past_a_checkpoint(installation, launched.run_id), 120, "points after a checkpoint")

    installation.kill(victim)
    run = ledger.wait(launched.run_id, timeout_seconds=150)

    assert run.status == "completed"
    assert [attempt.ending for attempt in run.attempts] == ["lost", "completed"]
    origin = run.attempts[1].resumed_from
    assert origin is not None
    assert origin.step >= 300
    for key in CURVES:
        assert curve(installation, run, key) == curve(installation, twin, key)
    assert_the_tail_can_be_read(installation, run, origin.step)
    assert_mirrored(ledger, mlflow_client(mlflow_server_of_all.url), run)


def is_past_a_checkpoint(installation: Installation, run_id: str) -> bool:
    steps = [saved.step for saved in installation.client.checkpoints(run_id) if saved.step > 0]
    points = {one.key: one.last_step for one in installation.client.metrics(run_id)}
    return bool(steps) and points.get("train/loss", 0) > max(steps) + 5


def curve(installation: Installation, run: Run, key: str) -> Curve:
    """The effective points, each step once and in order."""
    series = installation.client.series(run.run_id, key, max_points=100_000)
    assert series.step == sorted(set(series.step))
    return [(step, float(value)) for step, value in zip(series.step, series.value, strict=True)]


def assert_the_tail_can_be_read(installation: Installation, run: Run, resumed_at: int) -> None:
    """The first attempt's points past the checkpoint, which the second attempt made again."""
    tail = installation.client.series(run.run_id, "train/loss", max_points=100_000, superseded=True)
    assert set(tail.attempt) == {1}
    assert tail.step == list(range(resumed_at + 1, resumed_at + 1 + tail.points))
