"""Runs over HTTP: launched, read at once, listed, changed under If-Match, ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from runledger.projections.mlflow.state import RunState, SinkState
from runledger.tracker.aggregates import run as commands
from runledger.tracker.events.base import Covers
from runledger.tracker.ids import Digest, RunId, WorkerId, run_stream
from runledger.tracker.store import leases
from runledger.tracker.store.engine import write
from tests.api.conftest import LAUNCH, Api


def start(api: Api, run_id: str) -> None:
    api.command(commands.StartAttempt(run_id=RunId(run_id), attempt=1, worker=WorkerId("w1"), epoch=1))


def checkpoint(api: Api, run_id: str, content: bytes, step: int = 5, loss: float = 0.5) -> str:
    digest = api.backend.blobs.put_bytes(content)
    api.command(
        commands.RecordCheckpoint(
            run_id=RunId(run_id),
            attempt=1,
            step=step,
            digest=Digest(digest),
            size_bytes=len(content),
            loss=loss,
            covers=Covers(version=0, offset=0),
        )
    )
    return digest


def test_a_launched_run_is_readable_at_once(api_on_each: Api) -> None:
    launched = api_on_each.client.post("/api/v1/runs", json=LAUNCH)
    assert launched.status_code == 201
    assert launched.headers["etag"] == '"1"'
    run = api_on_each.client.get(launched.headers["location"])
    assert run.status_code == 200
    assert run.json()["status"] == "queued"
    assert run.json()["spec"]["values"]["steps"] == 3


def test_the_log_and_the_read_model_tell_the_same_of_a_new_run(api: Api) -> None:
    run_id = api.launch(tags={"team": "nlp"}, name="first")
    before = api.client.get(f"/api/v1/runs/{run_id}").json()
    assert api.get(f"/runs/{run_id}") == before


def test_the_log_tells_how_a_run_ended_that_no_read_model_has_seen(api: Api) -> None:
    run_id = api.launch()
    start(api, run_id)
    api.command(
        commands.FailRun(
            run_id=RunId(run_id), attempt=1, reason="error", error_class="ValueError", message="no"
        )
    )
    unseen = api.client.get(f"/api/v1/runs/{run_id}").json()
    seen = api.get(f"/runs/{run_id}")
    assert seen["failure"]["error_class"] == "ValueError"
    assert unseen == seen


def test_lists_are_paged_from_the_newest_to_the_oldest(api_on_each: Api) -> None:
    launched = [api_on_each.launch(name=f"run {number}") for number in range(5)]
    seen, query = [], {"limit": 2}
    while True:
        page = api_on_each.get("/runs", **query)
        seen += [row["run_id"] for row in page["items"]]
        if page["next"] is None:
            break
        query = {"limit": 2, "cursor": page["next"]}
    assert seen == launched[::-1]


def test_lists_are_filtered_by_experiment_and_status(api: Api) -> None:
    mine = api.launch(experiment="mine")
    api.launch(experiment="theirs")
    experiment = api.client.get(f"/api/v1/runs/{mine}").json()["experiment_id"]
    assert [row["run_id"] for row in api.get("/runs", experiment=experiment)["items"]] == [mine]
    assert api.get("/runs", experiment=experiment, status="completed")["items"] == []


def test_a_name_may_be_null(api: Api) -> None:
    api.launch(experiment="null")
    api.catch_up()
    assert api.client.get("/api/v1/runs", params={"experiment": "null"}).status_code == 200


def test_a_hidden_run_is_left_out_unless_asked_for(api: Api) -> None:
    run_id = api.launch()
    api.client.patch(f"/api/v1/runs/{run_id}", json={"hidden": True})
    assert api.get("/runs")["items"] == []
    assert [row["hidden"] for row in api.get("/runs", hidden=True)["items"]] == [True]


def test_a_patch_changes_all_that_it_names_in_one_append(api: Api) -> None:
    run_id = api.launch(tags={"draft": "yes"})
    changes = {"name": "better", "tags": {"team": "nlp", "draft": None}, "note": "Good.", "hidden": False}
    answer = api.client.patch(f"/api/v1/runs/{run_id}", json=changes)
    assert answer.status_code == 200
    assert answer.headers["etag"] == f'"{answer.json()["version"]}"'
    run = api.get(f"/runs/{run_id}")
    assert (run["name"], run["tags"], run["note"]) == ("better", {"team": "nlp"}, "Good.")
    assert run["version"] == answer.json()["version"]


def test_a_stale_if_match_changes_nothing(api: Api) -> None:
    run_id = api.launch()
    path = f"/api/v1/runs/{run_id}"
    api.client.patch(path, json={"name": "second"}, headers={"If-Match": '"1"'})
    stale = api.client.patch(path, json={"name": "third"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert stale.json()["version"] == 2
    assert api.client.get(path).json()["name"] == "second"


def test_a_queued_run_is_cancelled_at_once_and_cancelling_again_changes_nothing(api: Api) -> None:
    run_id = api.launch()
    first = api.client.post(f"/api/v1/runs/{run_id}/cancel", json={"reason": "no longer needed"})
    again = api.client.post(f"/api/v1/runs/{run_id}/cancel")
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["version"] == first.json()["version"]
    assert api.get(f"/runs/{run_id}")["status"] == "cancelled"


def test_a_run_is_paused_and_resumed(api: Api) -> None:
    run_id = api.launch()
    assert api.client.post(f"/api/v1/runs/{run_id}/pause").status_code == 200
    assert api.get(f"/runs/{run_id}")["status"] == "paused"
    assert api.client.post(f"/api/v1/runs/{run_id}/resume", json={}).status_code == 200
    assert api.get(f"/runs/{run_id}")["status"] == "queued"


def test_only_a_failed_run_is_retried(api: Api) -> None:
    run_id = api.launch()
    refused = api.client.post(f"/api/v1/runs/{run_id}/retry")
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:runledger:problem:run-not-failed"
    start(api, run_id)
    api.command(commands.FailRun(run_id=RunId(run_id), attempt=1, reason="error"))
    assert api.client.post(f"/api/v1/runs/{run_id}/retry").status_code == 200


def test_the_events_of_a_run_come_from_the_log_in_order(api: Api) -> None:
    run_id = api.launch()
    start(api, run_id)
    checkpoint(api, run_id, b"state", loss=float("nan"))
    types: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = api.client.get(f"/api/v1/runs/{run_id}/events", params=query).json()
        types += [fact["type"] for fact in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert types == ["RunRequested", "RunStarted", "RunCheckpointed"]
    assert page["items"][-1]["data"]["loss"] == "NaN"
    assert page["items"][-1]["actor"] == "worker:w1"


def test_checkpoints_and_artifacts_say_where_their_bytes_are(api: Api) -> None:
    run_id = api.launch()
    start(api, run_id)
    digest = checkpoint(api, run_id, b"state")
    artifact = api.backend.blobs.put_bytes(b"tokens")
    api.command(
        commands.RecordArtifact(
            run_id=RunId(run_id), attempt=1, path="tokenizer.json", digest=artifact, size_bytes=6
        )
    )
    [saved] = api.get(f"/runs/{run_id}/checkpoints")["items"]
    [kept] = api.get(f"/runs/{run_id}/artifacts")["items"]
    assert saved["digest"] == digest
    assert api.client.get(saved["links"]["blob"]).content == b"state"
    assert api.client.get(kept["links"]["blob"]).content == b"tokens"


def test_an_executing_run_shows_its_progress(api: Api) -> None:
    run_id = api.launch()
    start(api, run_id)
    stream = run_stream(RunId(run_id))
    with write(api.backend.ledger) as conn:
        leases.claim(conn, stream, 1, "w1", 30)
    leases.renew(api.backend.ledger, stream, 1, 30, "training", 7, 100)
    progress = api.get(f"/runs/{run_id}")["progress"]
    assert (progress["phase"], progress["done"], progress["total"]) == ("training", 7, 100)


def test_a_run_that_mlflow_has_links_to_its_page_there(api: Api) -> None:
    run_id = api.launch()
    state = SinkState(api.backend.views.engine, "http://127.0.0.1:8601")
    mirrored = RunState(run_id=run_id, experiment="7", mirror="abc")
    state.begin([mirrored], datetime.now(UTC))
    links = api.get(f"/runs/{run_id}")["links"]
    assert links["mlflow"] == "http://127.0.0.1:8601/#/experiments/7/runs/abc"
    assert "mlflow" not in api.get(f"/runs/{api.launch()}")["links"]


@pytest.mark.parametrize(
    ("settings", "at"),
    [({}, "http://mlflow:5000"), ({"mlflow_public_url": "https://mlflow.example"}, "https://mlflow.example")],
)
def test_the_link_to_mlflow_is_one_that_people_may_have(
    api_with: Any, settings: dict[str, str], at: str
) -> None:
    with api_with(**settings) as api:
        run_id = api.launch()
        state = SinkState(api.backend.views.engine, "http://sink:secret@mlflow:5000")
        state.begin([RunState(run_id=run_id, experiment="7", mirror="abc")], datetime.now(UTC))
        assert api.get(f"/runs/{run_id}")["links"]["mlflow"] == f"{at}/#/experiments/7/runs/abc"


def test_a_reader_sees_what_it_wrote_or_is_told_to_wait(api_with: Any) -> None:
    with api_with(after_seconds=0.05) as api:
        run_id = api.launch()
        renamed = api.client.patch(f"/api/v1/runs/{run_id}", json={"name": "new"}).json()
        behind = api.client.get(f"/api/v1/runs/{run_id}", params={"after": renamed["position"]})
        assert behind.status_code == 503
        assert behind.headers["retry-after"] == "1"
        assert behind.json()["position"] == 0
        assert api.get(f"/runs/{run_id}", after=renamed["position"])["name"] == "new"


def test_what_is_asked_as_of_a_position_waits_for_it(api_with: Any) -> None:
    with api_with(after_seconds=0.0) as api:
        run_id = api.launch()
        position = api.backend.log.head()

        early = api.client.get("/api/v1/runs", params={"as_of": position})
        assert early.status_code == 503
        assert early.json()["position"] == 0
        assert [row["run_id"] for row in api.get("/runs", as_of=position)["items"]] == [run_id]


def test_a_run_is_shown_as_of_a_position(api: Api) -> None:
    run_id = api.launch(name="first")
    position = api.client.get(f"/api/v1/runs/{run_id}").json()["position"]
    api.client.patch(f"/api/v1/runs/{run_id}", json={"name": "second"})
    assert api.get(f"/runs/{run_id}", as_of=position)["name"] == "first"
    assert api.client.get(f"/api/v1/runs/{run_id}", params={"as_of": position - 1}).status_code == 404


@pytest.mark.parametrize(
    "part", ["", "/events", "/metrics", "/logs", "/checkpoints", "/artifacts", "/evaluations"]
)
def test_an_unknown_run_is_not_found(api: Api, part: str) -> None:
    answer = api.client.get(f"/api/v1/runs/none{part}")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "no run 'none'"
