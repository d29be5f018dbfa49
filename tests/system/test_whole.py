"""A run from its launch over REST to its place in MLflow, on every pair of database and broker."""

from __future__ import annotations

import pytest

from tests.system.conftest import Install, MlflowServer
from tests.system.installation import until
from tests.system.mirror import assert_mirrored, mlflow_client
from tests.system.requests import toy

pytestmark = pytest.mark.system


def test_a_run_is_trained_evaluated_and_mirrored(
    infrastructure: dict[str, str], install: Install, mlflow_server_of_all: MlflowServer
) -> None:
    installation = install({**infrastructure, "RUNLEDGER_MLFLOW_URL": mlflow_server_of_all.url})
    ledger = installation.client

    launched = ledger.launch(**toy(experiment=installation.data.parent.name), tags={"team": "tests"})
    run = ledger.wait(launched.run_id, timeout_seconds=90)

    assert run.status == "completed"
    kinds = [fact.type for fact in ledger.facts(run.run_id)]
    assert kinds[:2] == ["RunRequested", "RunStarted"]
    assert kinds[-1] == "RunCompleted"
    assert kinds.count("RunCheckpointed") == kinds.count("RunEvaluated") == 5
    assert [one.step for one in sorted(ledger.evaluations(run.run_id), key=lambda one: one.step)] == [
        0,
        5,
        10,
        15,
        20,
    ]
    loss = next(summary for summary in ledger.metrics(run.run_id) if summary.key == "train/loss")
    assert (loss.points, loss.last_step) == (20, 20)
    assert b"step 20" in ledger.logs(run.run_id)
    assert_mirrored(ledger, mlflow_client(mlflow_server_of_all.url), run)


def test_what_is_killed_comes_back_and_the_run_completes(
    infrastructure: dict[str, str], install: Install
) -> None:
    installation = install(infrastructure, "--no-mlflow")
    ledger = installation.client
    launched = ledger.launch(**toy(steps=60, step_seconds=0.1))
    until(lambda: ledger.checkpoints(launched.run_id), what="a checkpoint")

    installation.kill("projections")
    installation.kill("api")
    until(lambda: ledger.run(launched.run_id).step, what="an answer")
    run = ledger.wait(launched.run_id, timeout_seconds=90)

    assert run.status == "completed"
    assert [fact.version for fact in ledger.facts(run.run_id)] == list(range(1, run.version + 1))
    assert len(run.attempts) == 1
