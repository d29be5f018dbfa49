"""Forks over HTTP: a new run from a checkpoint of another, which stays as it is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from runledger.tracker.aggregates import run as commands
from runledger.tracker.ids import RunId
from runledger.tracker.spec import JsonObject
from tests.api.conftest import RECIPE, Api, announce
from tests.api.elsewhere import begun
from tests.api.test_runs import checkpoint, start


@pytest.fixture
def trained(api: Api) -> str:
    """A run with checkpoints at steps 5 and 9."""
    run_id = api.launch(
        name="first", tags={"team": "nlp"}, priority=3, limits={"attempts": 2, "wall_seconds": 60}
    )
    start(api, run_id)
    for step in (5, 9):
        checkpoint(api, run_id, b"state %d" % step, step)
    return run_id


def fork(api: Api, run_id: str, **body: Any) -> JsonObject:
    answer = api.client.post(f"/api/v1/runs/{run_id}/fork", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/v1/runs/{answer.json()['run_id']}"
    found: JsonObject = api.get(f"/runs/{answer.json()['run_id']}")
    return found


def test_a_fork_is_a_new_run_from_the_last_checkpoint_with_all_else_as_it_was(api: Api, trained: str) -> None:
    before = api.get(f"/runs/{trained}")
    forked = fork(api, trained)
    assert api.get(f"/runs/{trained}") == before
    assert (forked["status"], forked["name"], forked["forked_from"]["step"]) == (
        "queued",
        "first from step 9",
        9,
    )
    assert forked["forked_from"]["changed"] == []
    same = ("spec", "tags", "priority", "limits", "device", "worker_labels", "experiment_id")
    assert {key: forked[key] for key in same} == {key: before[key] for key in same}


def test_what_is_changed_is_merged_validated_and_named(api: Api, trained: str) -> None:
    forked = fork(
        api,
        trained,
        step=5,
        spec={"rate": 0.01, "steps": 50},
        name="slower",
        experiment="other",
        tags={},
        priority=7,
        limits={"wall_seconds": None, "no_progress_seconds": 9},
        device={"kind": "gpu"},
    )
    before = api.get(f"/runs/{trained}")
    assert forked["spec"]["values"] == before["spec"]["values"] | {"rate": 0.01, "steps": 50}
    assert forked["forked_from"] == {
        "run_id": trained,
        "step": 5,
        "digest": api.get(f"/runs/{trained}/checkpoints")["items"][0]["digest"],
        "changed": ["spec.rate", "spec.steps"],
    }
    assert (forked["name"], forked["tags"], forked["priority"]) == ("slower", {}, 7)
    assert forked["limits"] == {"attempts": 2, "wall_seconds": None, "no_progress_seconds": 9}
    assert forked["device"]["kind"] == "gpu"
    assert forked["experiment_id"] != before["experiment_id"]


@pytest.mark.parametrize("ended", ["running", "paused", "completed", "failed", "cancelled"])
def test_a_run_is_forked_in_whatever_state_it_is(api: Api, trained: str, ended: str) -> None:
    run = {"run_id": RunId(trained), "attempt": 1}
    match ended:
        case "paused":
            api.command(commands.RequestPause(run_id=RunId(trained)))
            api.command(commands.ConfirmPause(**run))
        case "completed":
            api.command(commands.CompleteRun(**run))
        case "failed":
            api.command(commands.FailRun(**run, reason="error"))
        case "cancelled":
            api.command(commands.RequestCancellation(run_id=RunId(trained)))
            api.command(commands.ConfirmCancellation(**run))
    assert api.get(f"/runs/{trained}")["status"] == ended
    assert fork(api, trained)["status"] == "queued"


def test_a_fork_of_a_fork_names_the_run_in_between(api: Api, trained: str) -> None:
    child = str(fork(api, trained)["run_id"])
    start(api, child)
    checkpoint(api, child, b"state 11", 11)
    grandchild = fork(api, child)
    assert (grandchild["forked_from"]["run_id"], grandchild["forked_from"]["step"]) == (child, 11)


BAD: list[tuple[JsonObject, int, str]] = [
    ({"step": 6}, 409, "checkpoint-not-kept"),
    ({"step": -1}, 422, "unprocessable-content"),
    ({"spec": {"stepz": 1}}, 422, "bad-input"),
    ({"spec": {"steps": 0}}, 422, "bad-input"),
    ({"limits": {"attempts": 0}}, 422, "unprocessable-content"),
    ({"colour": "red"}, 422, "unprocessable-content"),
]


@pytest.mark.parametrize(("body", "status", "problem"), BAD)
def test_what_does_not_fit_is_refused_and_nothing_is_appended(
    api: Api, trained: str, body: JsonObject, status: int, problem: str
) -> None:
    head = api.backend.log.head()
    answer = api.client.post(f"/api/v1/runs/{trained}/fork", json=body)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (status, problem), answer.text
    assert api.backend.log.head() == head


def test_there_is_no_fork_of_nothing(api: Api) -> None:
    assert api.client.post("/api/v1/runs/none/fork").status_code == 404
    assert api.client.post(f"/api/v1/runs/{api.launch()}/fork").status_code == 409


def test_a_run_executed_elsewhere_is_not_forked_into_our_queue(api: Api) -> None:
    refused = api.client.post(f"/api/v1/runs/{begun(api).run_id}/fork")
    assert refused.json()["type"] == "urn:runledger:problem:run-is-external"


def test_the_same_source_is_taken_where_it_is_announced_else_the_newest_which_is_said(
    api: Api, trained: str
) -> None:
    newer = msgspec.structs.replace(RECIPE, version=2, digest="e" * 64)
    announce(api.backend.ledger, newer, RECIPE)
    assert fork(api, trained)["spec"]["version"] == 1
    announce(api.backend.ledger, newer)
    forked = fork(api, trained)
    assert (forked["spec"]["version"], forked["forked_from"]["changed"]) == (2, ["recipe"])


def test_the_same_key_forks_once_and_belongs_to_one_run(api_on_each: Api) -> None:
    api, headers = api_on_each, {"Idempotency-Key": "abc"}
    runs = [api.launch(), api.launch()]
    for run_id in runs:
        start(api, run_id)
        checkpoint(api, run_id, b"state")
    first, again, other = (
        api.client.post(f"/api/v1/runs/{run_id}/fork", json={}, headers=headers)
        for run_id in (runs[0], runs[0], runs[1])
    )
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert other.json()["type"] == "urn:runledger:problem:key-reused"
    assert len(api.get("/runs")["items"]) == 3
