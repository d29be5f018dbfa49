from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from runledger.projections.mlflow.errors import MlflowRefused
from runledger.projections.mlflow.memory import MemoryMlflow
from runledger.projections.mlflow.process import serve
from runledger.projections.mlflow.settings import MlflowSettings
from runledger.projections.mlflow.state import LEASE, rebuild, status
from runledger.tracker.store import leases
from runledger.tracker.store.engine import read, write

SETTINGS = MlflowSettings(mlflow_url="http://mlflow.test")


@pytest.fixture
def serving(ledger, views, blobs):
    stop, threads = threading.Event(), []

    def start(driver):
        thread = threading.Thread(
            target=serve, args=(ledger, views, blobs, driver, SETTINGS, stop), daemon=True
        )
        threads.append(thread)
        thread.start()

    yield start
    stop.set()
    for thread in threads:
        thread.join(30)


def test_another_sink_stands_by_until_the_first_is_gone(serving, story, ledger, views, log):
    with write(ledger) as conn:
        epoch = leases.claim(conn, LEASE, 1, "another host", 600)
    mlflow = MemoryMlflow()
    serving(mlflow)
    story.request()
    threading.Event().wait(0.2)
    assert mlflow.runs == {}
    with write(ledger) as conn:
        leases.release(conn, LEASE, epoch)
    wait_for(lambda: position(views) == log.head())
    assert len(mlflow.runs) == 1


def test_a_server_that_refuses_to_answer_is_reported(serving, views):
    class Forbidden(MemoryMlflow):
        def mirrors(self):
            raise MlflowRefused("no permission")

    serving(Forbidden())
    wait_for(lambda: current(views).problem == "no permission")


def test_a_sink_that_is_idle_notices_a_rebuild(serving, story, views, log):
    mlflow = MemoryMlflow()
    serving(mlflow)
    story.request()
    wait_for(lambda: position(views) == log.head())
    rebuild(views)
    wait_for(lambda: position(views) == log.head())
    assert len(mlflow.runs) == 1


def test_the_process_names_the_setting_that_is_missing(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNLEDGER_")}
    command = [sys.executable, "-P", "-m", "runledger.projections.mlflow"]
    answer = subprocess.run(
        command, env=environment | {"RUNLEDGER_DATA": str(tmp_path)}, capture_output=True, text=True
    )
    assert answer.returncode == 78
    assert "RUNLEDGER_MLFLOW_URL" in answer.stderr


def current(views):
    with read(views) as conn:
        return status(conn)


def position(views):
    return current(views).position


def wait_for(condition, seconds=60.0):
    waiting = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        waiting.wait(0.02)
    raise TimeoutError("not in time")
