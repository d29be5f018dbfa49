"""What the sink relies on, held against the server in memory and against a stock one."""

from __future__ import annotations

import math
import uuid
from pathlib import Path

import pytest

from runledger.projections.mlflow.driver import (
    CHECKPOINT_TAG,
    EXPERIMENT_TAG,
    LOG_TAG,
    RUN_TAG,
    DatasetUse,
    MlflowDriver,
    Origin,
    Point,
)
from runledger.projections.mlflow.errors import MirrorGone, MlflowRefused, MlflowUnavailable, NameTaken
from runledger.projections.mlflow.memory import MemoryMlflow

USE = DatasetUse(name="sums", digest="d" * 32, source="{}", profile="{}", context="training")


@pytest.fixture(params=["memory", "remote"])
def driver(request: pytest.FixtureRequest) -> MlflowDriver:
    if request.param == "memory":
        return MemoryMlflow()
    remote: MlflowDriver = request.getfixturevalue("remote")
    return remote


@pytest.fixture
def experiment_id() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def experiment(driver: MlflowDriver, experiment_id: str) -> str:
    return driver.create_experiment(f"of {experiment_id}", {EXPERIMENT_TAG: experiment_id})


@pytest.fixture
def run(driver: MlflowDriver, experiment: str) -> str:
    return driver.create_run(experiment, "a run", 1_000, {RUN_TAG: f"r{experiment}", LOG_TAG: "l"})


def test_an_experiment_is_found_by_its_tag(driver, experiment, experiment_id):
    found = driver.find_experiment(experiment_id)
    assert found is not None
    assert (found.id, found.is_active) == (experiment, True)
    assert driver.find_experiment("another") is None


def test_names_of_experiments_are_unique(driver, experiment, experiment_id):
    with pytest.raises(NameTaken):
        driver.create_experiment(f"of {experiment_id}", {})
    other = driver.create_experiment(f"other than {experiment_id}", {})
    with pytest.raises(NameTaken):
        driver.rename_experiment(other, f"of {experiment_id}")
    driver.rename_experiment(other, f"renamed {experiment_id}")
    assert driver.named_experiment(f"renamed {experiment_id}").id == other


def test_a_run_is_found_by_its_tag_until_it_lies_in_the_trash(driver, experiment, run):
    assert driver.find_runs(experiment, f"r{experiment}") == [run]
    assert [mirror.id for mirror in driver.mirrors() if mirror.run_id == f"r{experiment}"] == [run]
    driver.trash_run(run)
    driver.trash_run(run)
    assert driver.find_runs(experiment, f"r{experiment}") == []
    with pytest.raises(MirrorGone):
        driver.log_tags(run, {"a": "b"})


def test_a_run_that_was_never_there_is_gone(driver):
    for call in (driver.held, driver.trash_run):
        with pytest.raises(MirrorGone):
            call("0" * 32)


def test_a_run_keeps_what_it_is_told(driver, run):
    driver.log_params(run, {"lr": "0.1", "empty": ""})
    driver.log_tags(run, {"team": "sums", "old": "1"})
    driver.delete_tag(run, "old")
    driver.delete_tag(run, "old")
    driver.update_run(run, name="renamed", status="SCHEDULED")
    driver.update_run(run, status="FAILED", end_time=5_000)
    held = driver.held(run)
    assert (held.name, held.status, held.start_time, held.end_time) == ("renamed", "FAILED", 1_000, 5_000)
    assert held.params == {"lr": "0.1", "empty": ""}
    assert held.tags["team"] == "sums"
    assert "old" not in held.tags


def test_a_param_never_changes(driver, run):
    driver.log_params(run, {"lr": "0.1"})
    driver.log_params(run, {"lr": "0.1"})
    with pytest.raises(MlflowRefused):
        driver.log_params(run, {"lr": "0.2"})


def test_the_same_point_counts_once(driver, run):
    points = [
        Point("loss", 1, 10, 0.5),
        Point("loss", 1, 10, 0.25),
        Point("loss", 2, 20, math.nan),
        Point("loss", -3, 5, 1.7976931348623157e308),
        Point("a b/c.d-e:f", 2**40, 10, -0.5),
    ]
    driver.log_points(run, points)
    driver.log_points(run, points[1:])
    assert driver.held(run).keys == ("a b/c.d-e:f", "loss")
    found = [point for key in driver.held(run).keys for point in driver.points(run, key)]
    assert sorted(map(repr, found)) == sorted(map(repr, points))


def test_a_call_carries_a_thousand_points_and_no_more(driver, run):
    driver.log_points(run, [Point("loss", step, step, 0.5) for step in range(1_000)])
    assert len(driver.points(run, "loss")) == 1_000


def test_datasets_are_inputs_once(driver, run):
    driver.log_datasets(run, [USE])
    driver.log_datasets(run, [USE])
    assert driver.held(run).datasets == {("sums", "d" * 32)}


def test_a_checkpoint_is_a_linked_model_with_scores(driver, experiment, run):
    model = driver.create_model(experiment, run, "step-5", {CHECKPOINT_TAG: "1-5"}, {"step": "5"})
    assert [found.is_ready for found in driver.find_models(experiment, run)] == [False]
    for _ in range(2):
        driver.finish_model(model)
        driver.link_model(run, model, 5)
        driver.log_points(
            run, [Point("b/em", 5, 10, 0.5)], Origin(model=model, dataset="sums", digest="d" * 32)
        )
    (found,) = driver.find_models(experiment, run)
    assert (found.id, found.tags[CHECKPOINT_TAG], found.is_ready) == (model, "1-5", True)
    assert driver.held(run).outputs == {model: 5}
    assert driver.model_scores(model) == [(Point("b/em", 5, 10, 0.5), "sums", "d" * 32)]
    assert driver.points(run, "b/em") == [Point("b/em", 5, 10, 0.5)]
    driver.delete_model(model)
    driver.delete_model(model)
    assert driver.find_models(experiment, run) == []


def test_files_come_and_go(driver, run, tmp_path: Path):
    file = tmp_path / "step-5.tar"
    file.write_bytes(b"12345")
    driver.upload(run, file, "checkpoints/step-5.tar")
    driver.upload(run, file, "checkpoints/step-5.tar")
    driver.upload(run, file, "step-5.tar")
    assert driver.files(run) == {"checkpoints/step-5.tar": 5, "step-5.tar": 5}
    driver.delete_file(run, "checkpoints/step-5.tar")
    assert driver.files(run) == {"step-5.tar": 5}


def test_a_server_that_is_not_there_is_unavailable(absent_remote):
    for call in (absent_remote.ping, lambda: absent_remote.held("0" * 32)):
        with pytest.raises(MlflowUnavailable):
            call()
