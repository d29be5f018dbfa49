"""Runs over HTTP: launched, read at once, changed under If-Match, ended."""

from __future__ import annotations

from tests.api.conftest import LAUNCH, Api


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
