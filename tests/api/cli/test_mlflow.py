"""`runledger mlflow diff` and `rebuild`: against a server in memory, and once against a real one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from runledger.api.cli import exits
from runledger.api.cli import mlflow as command
from runledger.api.cli.app import runledger
from runledger.projections.mlflow.comparing import Difference
from runledger.projections.mlflow.errors import MlflowUnavailable
from runledger.projections.mlflow.memory import MemoryMlflow
from runledger.projections.mlflow.wording import in_words
from runledger.tracker.blobs import Blobs
from runledger.tracker.events.run import RunCompleted
from runledger.tracker.store.engine import open_ledger, open_views
from runledger.tracker.store.log import Log
from tests.conftest import Databases
from tests.projections.mlflow.conftest import Story, free_port, start_server, wait_until
from tests.projections.mlflow.conftest import _answers as answers


class Told:
    """A log with two runs, and the commands that speak of it to MLflow."""

    def __init__(self, ledger_url: str, views_url: str, folder: Path, mlflow_url: str) -> None:
        blobs = f"file://{folder / 'blobs'}"
        self.environment = {
            "RUNLEDGER_LEDGER_URL": ledger_url,
            "RUNLEDGER_VIEWS_URL": views_url,
            "RUNLEDGER_BLOBS_URL": blobs,
            "RUNLEDGER_MLFLOW_URL": mlflow_url,
        }
        self.ledger: Engine = open_ledger(ledger_url)
        self.views: Engine = open_views(views_url)
        self.log = Log(self.ledger)
        self.story = Story(self.log, Blobs(blobs))
        self.first, self.second = self.train(0.5), self.train(0.25)

    def train(self, lr: float) -> str:
        run = self.story.request(values={"lr": lr, "dataset": self.story.dataset()})
        self.story.start(run)
        self.story.checkpoint(run, 20, self.story.points(run, range(20)))
        self.story.tell(f"run-{run}", RunCompleted(attempt=1, step=20))
        return run

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(runledger, ["mlflow", *words], env=self.environment)

    def close(self) -> None:
        self.log.close()
        self.ledger.dispose()
        self.views.dispose()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> MemoryMlflow:
    server = MemoryMlflow()
    monkeypatch.setattr(command, "_driver", lambda url: server)
    return server


@pytest.fixture
def told(sqlite_databases: Databases, tmp_path: Path) -> Iterator[Told]:
    told = Told(*sqlite_databases.migrated(), tmp_path, "http://127.0.0.1:9")
    yield told
    told.close()


def test_a_rebuild_tells_all_and_then_nothing_differs(told: Told, server: MemoryMlflow) -> None:
    before = told.run("diff")
    assert before.exit_code == exits.DIFFERENT
    assert f"run {told.first}: no run of MLflow's stands for it" in before.stdout
    done = told.run("rebuild", "--json")
    assert json.loads(done.stdout) == {"position": told.log.head(), "runs": 2, "quarantined": []}
    after = told.run("diff")
    assert (after.exit_code, after.stdout) == (exits.OK, "no difference in 2 runs\n")


def test_what_was_changed_in_mlflow_is_found_and_put_right(told: Told, server: MemoryMlflow) -> None:
    told.run("rebuild")
    mirrors = {mirror.run_id: mirror.id for mirror in server.mirrors()}
    server.log_params(mirrors[told.first], {"stranger": "1"})
    found = told.run("diff", "--run", told.first[:12], "--json")
    assert found.exit_code == exits.DIFFERENT
    assert json.loads(found.stdout) == {
        "runs": 1,
        "differences": [{"run_id": told.first, "what": "param stranger", "ours": "none", "theirs": "1"}],
    }
    assert told.run("diff", "--run", told.second).exit_code == exits.OK
    assert told.run("rebuild", "--run", told.first).exit_code == exits.OK
    assert told.run("diff").exit_code == exits.OK
    renewed = {mirror.run_id: mirror.id for mirror in server.mirrors()}
    assert renewed[told.first] != mirrors[told.first]
    assert renewed[told.second] == mirrors[told.second]


def test_a_run_must_be_one_of_the_log(told: Told, server: MemoryMlflow) -> None:
    done = told.run("diff", "--run", "nobody")
    assert done.exit_code == exits.BAD_USAGE
    assert "no run's id begins with 'nobody'" in done.stderr


def test_a_server_must_be_known(told: Told) -> None:
    del told.environment["RUNLEDGER_MLFLOW_URL"]
    done = told.run("diff")
    assert done.exit_code == exits.SETUP_PROBLEM
    assert "RUNLEDGER_MLFLOW_URL" in done.stderr


def test_a_server_that_is_away_is_told(
    told: Told, server: MemoryMlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "ping", unavailable)
    done = told.run("diff")
    assert done.exit_code == exits.NOT_REACHABLE
    assert "MLflow at http://127.0.0.1:9: gone" in done.stderr


def unavailable() -> None:
    raise MlflowUnavailable("gone")


@pytest.mark.parametrize(
    ("what", "ours", "theirs", "words"),
    [
        ("run", "one", "none", "no run of MLflow's stands for it"),
        ("run", "one", "a, b", "more than one active run of MLflow's stands for it: a, b"),
        ("run", "none", "a", "the log has no such run, MLflow has it as a"),
        ("param lr", "0.1", "0.2", "param lr: 0.1 by the log, 0.2 in MLflow"),
        ("tag team", "nlp", "none", "tag team: nlp by the log, missing in MLflow"),
        ("tag team", "none", "cv", "tag team: cv in MLflow, nothing of it in the log"),
        (
            *("metric a, points missing there", "0", "3"),
            "metric a: 3 settled points of the log are missing in MLflow",
        ),
        (
            *("metric a, points only there", "0", "1"),
            "metric a: 1 points in MLflow are not effective points of the log",
        ),
    ],
)
def test_differences_in_words(what: str, ours: str, theirs: str, words: str) -> None:
    assert in_words(Difference(run_id="r", what=what, ours=ours, theirs=theirs)) == words


@pytest.mark.system
@pytest.mark.slow
def test_mlflow_s_database_may_be_deleted(sqlite_databases: Databases, tmp_path: Path) -> None:
    """A stock server: told, emptied, told anew. The commands are the user's, their driver is the real one."""
    port = free_port()
    server = start(tmp_path, port)
    told = Told(*sqlite_databases.migrated(), tmp_path, f"http://127.0.0.1:{port}")
    try:
        assert told.run("rebuild").exit_code == exits.OK
        assert told.run("diff").exit_code == exits.OK
        stop(server)
        for file in tmp_path.glob("mlflow.db*"):
            file.unlink()
        server = start(tmp_path, port)
        lost = told.run("diff", "--json")
        assert lost.exit_code == exits.DIFFERENT
        assert {each["run_id"] for each in json.loads(lost.stdout)["differences"]} == {
            told.first,
            told.second,
        }
        assert told.run("rebuild").exit_code == exits.OK
        found = told.run("diff")
        assert (found.exit_code, found.stdout) == (exits.OK, "no difference in 2 runs\n")
    finally:
        stop(server)
        told.close()


def start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    process = start_server(folder, port)
    wait_until(lambda: answers(f"http://127.0.0.1:{port}"), 180.0)
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
