"""Runs executed elsewhere are asked for: once for each id, in an experiment like any other, in no queue."""

from __future__ import annotations

from typing import Any

import pytest

from runledger.tracker.aggregates.registry import RUN
from runledger.tracker.ids import RunId, run_stream
from runledger.trainer.relay import Relay
from tests.api.conftest import Api
from tests.api.elsewhere import Executor, kind_of


def test_a_requested_run_waits_for_its_executor_with_its_params(api_on_each: Api) -> None:
    executor = Executor(api_on_each)
    answer = executor.request(params={"rate": 0.1, "layers": 2, "tied": True}, tags={"team": "nlp"})
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/runs/{executor.run_id}"
    run = executor.show()
    assert (run["status"], run["external"], run["recipe"]) == ("queued", True, "external")
    assert run["params"] == {"rate": 0.1, "layers": 2, "tied": True}
    assert (run["tags"], run["requested_by"]) == ({"team": "nlp"}, "api:local")
    assert api_on_each.get(f"/experiments/{run['experiment_id']}")["name"] == "own"


def test_the_id_and_the_name_are_made_where_none_is_given(api: Api) -> None:
    answer = api.client.post("/api/v1/runs/external", json={"experiment": "own"})
    run_id = answer.json()["run_id"]
    assert api.get(f"/runs/{run_id}")["name"] == f"run {run_id[:8]}"


def test_the_same_request_again_gets_the_same_answer(api_on_each: Api) -> None:
    executor = Executor(api_on_each)
    first, head = executor.request(), api_on_each.backend.log.head()
    assert executor.request().json() == first.json()
    assert api_on_each.backend.log.head() == head


def test_another_request_with_the_same_id_is_refused(api: Api) -> None:
    executor = Executor(api)
    executor.request()
    for other in ({"params": {"rate": 0.2}}, {"name": "other"}, {"tags": {"a": "b"}}, {"experiment": "no"}):
        assert kind_of(executor.request(**other)) == "run-already-requested"
    ours = Executor(api, run_id=api.launch())
    assert kind_of(ours.request()) == "run-already-requested"


@pytest.mark.parametrize("change", ["rename", "archive"])
def test_what_became_of_its_experiment_does_not_refuse_a_repetition(api: Api, change: str) -> None:
    executor = Executor(api)
    first = executor.request().json()
    path = f"/api/v1/experiments/{first['experiment_id']}"
    if change == "rename":
        assert api.client.patch(path, json={"name": "another"}).status_code == 200
    else:
        assert api.client.post(f"{path}/archive").status_code == 200
    api.catch_up()
    assert executor.request().json() == first


def test_an_archived_experiment_takes_no_new_runs(api: Api) -> None:
    experiment = Executor(api).request().json()["experiment_id"]
    api.client.post(f"/api/v1/experiments/{experiment}/archive")
    api.catch_up()
    assert kind_of(Executor(api).request()) == "experiment-is-archived"


def test_it_happened_when_its_executor_says(api: Api) -> None:
    executor = Executor(api)
    executor.request(occurred_at="2026-01-02T03:04:05+01:00")
    (recorded,) = api.backend.log.read(run_stream(RunId(executor.run_id)))
    assert recorded.occurred_at.isoformat() == "2026-01-02T02:04:05+00:00"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"run_id": "my-run"}, "$.run_id"),
    ({"experiment": ""}, "$.experiment"),
    ({"name": "  "}, "$.name"),
    ({"experiment": "x" * 251}, "$.experiment"),
    ({"experiment": "a\0b"}, "$.experiment"),
    ({"params": {"model": {"layers": 2}}}, "$.params[...]"),
    ({"params": {"x" * 501: 1}}, "key` in `$.params"),
    ({"params": {"seed": 2**70}}, "$.params.seed"),
    ({"params": {"text": "x" * 100_001}}, "$.params[...]"),
    ({"tags": {"team": 1}}, "$.tags[...]"),
    ({"occurred_at": "2026-01-02T03:04:05"}, "$.occurred_at"),
    ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "$.occurred_at"),
    ({"occurred_at": "2200-01-01T00:00:00Z"}, "$.occurred_at"),
    ({"recipe": "lm"}, "$.recipe"),
]


@pytest.mark.parametrize(("changes", "place"), BAD, ids=[place for _, place in BAD])
def test_what_does_not_fit_is_named_and_nothing_is_appended(
    api: Api, changes: dict[str, Any], place: str
) -> None:
    answer = Executor(api).request(**changes)
    assert answer.status_code == 422, answer.text
    assert answer.json()["faults"][0]["place"] == place
    assert api.backend.log.head() == 0


def test_what_people_choose_may_be_as_odd_as_the_log_takes_it(api_on_each: Api) -> None:
    executor = Executor(api_on_each)
    odd = {"name": "two\nlines", "experiment": "x" * 250, "tags": {"a\tb": "\0"}, "params": {"ü\r": "\0"}}
    assert executor.request(**odd).status_code == 201
    run = executor.show()
    assert (run["name"], list(run["tags"]), run["params"]) == ("two\nlines", ["a\tb"], {"ü\r": "\0"})
    assert executor.request(**odd).status_code == 201


def test_no_worker_of_ours_hears_of_it(api: Api) -> None:
    """Whatever happens to it: there is nothing to be claimed."""
    executor = Executor(api)
    executor.request()
    executor.start()
    executor.fall_silent()
    executor.start()
    executor.good("end", outcome="preempted")
    Executor(api, executor.run_id, worker="node-2").start()
    sent: list[object] = []
    relay = Relay(api.backend.log, sent.append)
    while relay.step():
        pass
    assert sent == []
    assert api.get("/health")["queued"] == 0


def test_people_stop_it_between_attempts_at_once_and_cannot_put_it_into_a_queue(api: Api) -> None:
    executor = Executor(api)
    executor.request()
    path = f"/api/v1/runs/{executor.run_id}"
    assert api.client.post(f"{path}/pause").status_code == 200
    assert api.backend.dispatcher.load(RUN, executor.run_id).status == "paused"
    resumed = api.client.post(f"{path}/resume")
    assert (resumed.status_code, kind_of(resumed)) == (409, "run-is-external")
    assert "its script is started again" in resumed.json()["detail"]
    assert executor.start()["status"] == "running"
    executor.good("end", outcome="failed")
    assert kind_of(api.client.post(f"{path}/retry")) == "run-is-external"
