"""The sink against a stock MLflow server, asked through MLflow's own client."""

from __future__ import annotations

import json
import math
import threading
import time
from pathlib import Path

import pytest

from runledger.projections.mlflow.process import serve
from runledger.projections.mlflow.settings import MlflowSettings
from runledger.projections.mlflow.state import link, rebuild, status
from runledger.tracker.events.run import RunArtifactRecorded, RunCompleted
from runledger.tracker.store.engine import read


@pytest.fixture
def serving(ledger, views, blobs, mlflow_url, remote):
    """Starts sinks as their processes would; stops them at the end."""
    stop, threads = threading.Event(), []
    settings = MlflowSettings(mlflow_url=mlflow_url)

    def start():
        thread = threading.Thread(target=serve, args=(ledger, views, blobs, remote, settings, stop))
        threads.append(thread)
        thread.start()

    yield start
    stop.set()
    for thread in threads:
        thread.join(30)


@pytest.fixture
def trained(story):
    """A run with odd values, resumed once, evaluated before and after."""
    run = story.request(values={"dataset": story.dataset(), "lr": 0.001, "empty": ""}, name="two digits")
    benchmark = story.benchmark(f"held out of {run[:6]}")
    story.start(run)
    before = story.checkpoint(run, 0, story.points(run, [0]))
    story.evaluate(run, benchmark, before, 0.0)
    middle = story.checkpoint(run, 200, story.points(run, range(1, 201)))
    story.points(run, range(201, 220), offset=0.25)
    story.start(run, 2, middle)
    after = story.checkpoint(run, 400, story.points(run, range(201, 401), attempt=2), attempt=2)
    story.evaluate(run, benchmark, after, 0.95)
    recorded = RunArtifactRecorded(
        attempt=2, path="tokenizer/vocab.json", digest=story.blobs.put_bytes(b"{}"), size_bytes=2
    )
    story.tell(f"run-{run}", recorded)
    story.tell(f"run-{run}", RunCompleted(attempt=2, step=400, metrics={"train/loss": 0.1}))
    return run


def test_a_training_is_found_in_mlflow(trained, told, remote, mlflow_url, tmp_path):
    from mlflow import MlflowClient

    told.catch_up(remote)
    assert wrong(told, remote) == []
    client = MlflowClient(mlflow_url)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(experiments, f"tags.`runledger.run` = '{trained}'")
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "two digits"
    assert run.data.params["lr"] == "0.001"
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [point.step for point in sorted(history, key=lambda point: point.step)] == list(range(401))
    assert all(point.value == point.step for point in history)
    score = client.get_metric_history(run.info.run_id, f"held out of {trained[:6]}/exact_match")
    assert sorted((point.step, point.value) for point in score) == [(0, 0.0), (400, 0.95)]
    assert len(run.outputs.model_outputs) == 3
    names = {entry.dataset.name for entry in run.inputs.dataset_inputs}
    assert names == {"sums", f"held out of {trained[:6]}"}
    folders = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert folders == {"checkpoints", "evaluations", "tokenizer"}
    (table, _) = json.loads(run.data.tags["mlflow.loggedArtifacts"])
    downloaded = client.download_artifacts(run.info.run_id, table["path"], str(tmp_path))
    assert json.loads(Path(downloaded).read_text())["columns"] == ["id", "answer", "note"]


def test_a_rebuild_against_the_same_server_finds_its_runs(trained, told, views, remote):
    told.catch_up(remote)
    with read(views) as conn:
        before = link(conn, trained)
    rebuild(views)
    told.catch_up(remote)
    with read(views) as conn:
        assert link(conn, trained) == before
    assert wrong(told, remote) == []


def test_a_rollback_leaves_one_active_run(trained, story, told, remote):
    run = story.request()
    story.start(run)
    first = story.checkpoint(run, 1, story.points(run, [1]))
    story.checkpoint(run, 2, story.points(run, [2]))
    told.catch_up(remote)
    story.start(run, 2, first)
    story.points(run, [2], attempt=2, offset=math.nan)
    story.tell(f"run-{run}", RunCompleted(attempt=2, step=2))
    told.catch_up(remote)
    assert wrong(told, remote) == []


def test_two_sinks_take_turns_and_keep_up(story, serving, views, log, mlflow_url):
    serving()
    serving()
    run = story.request()
    story.start(run)
    story.points(run, range(10))
    wait_for(lambda: caught_up(views, log))
    begun = time.monotonic()
    story.points(run, range(10, 20))
    wait_for(lambda: caught_up(views, log))
    assert time.monotonic() - begun < 10
    with read(views) as conn:
        assert status(conn).points == 40


def wrong(told, remote):
    """The server is shared, and logs of tests are copies with one id: runs of other tests are left out."""
    return [difference for difference in told.differences(remote) if difference.ours != "none"]


def caught_up(views, log):
    with read(views) as conn:
        return status(conn).lag(log.head()) == 0


def wait_for(condition, seconds=60.0):
    waiting = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        waiting.wait(0.05)
    raise TimeoutError("not in time")
