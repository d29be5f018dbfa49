"""A run's life from the command line, and how soon it goes on when its worker is killed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runledger.api.cli.exits import REFUSED
from runledger.projections.mlflow.driver import RUN_TAG
from runledger.trainer.progress import ProgressWatch
from tests.system.conftest import Install, MlflowServer
from tests.system.installation import Installation, until
from tests.system.mirror import mlflow_client
from tests.system.requests import toy

pytestmark = [pytest.mark.system, pytest.mark.slow]

LEASE_SECONDS = 15.0
GOES_ON_SECONDS = 10.0


def test_a_run_is_paused_resumed_forked_and_cancelled_from_the_command_line(
    install: Install, mlflow_server_of_all: MlflowServer, tmp_path: Path
) -> None:
    installation = install({"RUNLEDGER_MLFLOW_URL": mlflow_server_of_all.url})
    ledger, gate = installation.client, tmp_path / "gate"
    run_id = ledger.launch(**toy("life", gate=str(gate), gate_at=12), name="origin").run_id
    until(lambda: last_step(installation, run_id) == 10, 60, "a checkpoint at step 10")

    assert said(installation, "pause", "origin", "--wait", "--reason", "lunch") == "paused"
    assert said(installation, "resume", "origin") in ("queued", "running")
    gate.touch()
    assert ledger.wait(run_id, timeout_seconds=60).status == "completed"
    assert installation.run("retry", "origin").returncode == REFUSED

    words = (
        "fork",
        "origin",
        "--step",
        "10",
        "--set",
        "rate=0.01",
        "--name",
        "slower",
        "--wall-seconds",
        "60",
    )
    forked_id = said(installation, *words)
    forked = ledger.wait(forked_id, timeout_seconds=60)
    assert forked.status == "completed"
    assert forked.forked_from is not None
    assert (forked.forked_from.run_id, forked.forked_from.step) == (run_id, 10)
    assert forked.spec.values == {**ledger.run(run_id).spec.values, "rate": 0.01}
    assert forked.limits.wall_seconds == 60
    assert ledger.series(forked_id, "train/x").step == list(range(11, 21))
    environment = forked.attempts[0].environment
    assert environment is not None
    assert (environment.resume, environment.changed) == ("changed", ("spec.rate",))
    assert "from step 10 of run" in installation.run("show", "slower").stdout
    until(lambda: parent_in_mlflow(mlflow_server_of_all, forked_id) == run_id, 60, "the parent in MLflow")

    waiting = ledger.launch(**toy("life", gate=str(tmp_path / "never"), gate_at=0)).run_id
    assert said(installation, "cancel", waiting, "--wait") == "cancelled"


def said(installation: Installation, *words: str) -> str:
    done = installation.run(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def last_step(installation: Installation, run_id: str) -> int:
    return max((each.step for each in installation.client.checkpoints(run_id)), default=-1)


def parent_in_mlflow(server: MlflowServer, run_id: str) -> str | None:
    """Our id of the run that MLflow shows as the parent."""
    client = mlflow_client(server.url)
    experiments = [each.experiment_id for each in client.search_experiments()]
    for run in client.search_runs(experiments, f"tags.`{RUN_TAG}` = '{run_id}'"):
        if parent := run.data.tags.get("mlflow.parentRunId"):
            return str(client.get_run(parent).data.tags[RUN_TAG])
    return None


def test_from_the_kill_of_the_worker_to_the_next_step_it_takes_the_lease_and_ten_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the settings as they ship; the only worker, so that what restarts it has to notice, too."""
    installation = Installation(tmp_path / "data", {}, ("--no-mlflow",), settings={}).wait_until_up()
    try:
        run_id = installation.client.launch(**toy("life", gate=str(tmp_path / "gate"), gate_at=7)).run_id
        until(lambda: step_of(installation, run_id, 1) == 7, 60, "step 7")
        until(lambda: last_step(installation, run_id) == 5, 60, "its checkpoint")

        installation.kill("trainer")
        killed_at = time.monotonic()
        until(lambda: step_of(installation, run_id, 2), 120, "a step of the next attempt", every=0.05)
        seconds = time.monotonic() - killed_at

        with capsys.disabled():
            print(f"\nfrom SIGKILL to the next attempt's first step: {seconds:.1f} s")
        assert seconds <= LEASE_SECONDS + GOES_ON_SECONDS
        (tmp_path / "gate").touch()
        run = installation.client.wait(run_id, timeout_seconds=60)
        assert [each.ending for each in run.attempts] == ["lost", "completed"]
    finally:
        installation.close()


def step_of(installation: Installation, run_id: str, attempt: int) -> int | None:
    """The newest that stands in the journal, beside which the process lives."""
    watch = ProgressWatch(installation.data / "attempts" / f"{run_id}-{attempt}" / "journal")
    watch.look()
    return watch.step
