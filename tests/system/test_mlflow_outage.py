"""MLflow may be away: a training does not notice, and MLflow has everything once it is back."""

from __future__ import annotations

import pytest

from tests.system.conftest import Install, MlflowServer
from tests.system.mirror import assert_mirrored, mlflow_client
from tests.system.requests import toy

pytestmark = pytest.mark.system


def test_mlflow_has_everything_after_an_outage_that_lasted_the_whole_training(
    install: Install, mlflow_of_this_test: MlflowServer
) -> None:
    installation = install({"RUNLEDGER_MLFLOW_URL": mlflow_of_this_test.url}, "--mlflow-later")
    ledger = installation.client

    run = ledger.wait(ledger.launch(**toy()).run_id, timeout_seconds=90)
    assert run.status == "completed"
    mlflow_of_this_test.start()

    assert_mirrored(ledger, mlflow_client(mlflow_of_this_test.url), run)


def test_an_outage_in_the_middle_doubles_nothing(install: Install, mlflow_of_this_test: MlflowServer) -> None:
    mlflow_of_this_test.start()
    installation = install({"RUNLEDGER_MLFLOW_URL": mlflow_of_this_test.url})
    ledger = installation.client
    ledger.wait(ledger.launch(**toy()).run_id, timeout_seconds=90)

    mlflow_of_this_test.stop()
    run = ledger.wait(ledger.launch(**toy(seed=1)).run_id, timeout_seconds=90)
    mlflow_of_this_test.start()

    assert_mirrored(ledger, mlflow_client(mlflow_of_this_test.url), run)
