"""Launches: specs completed and checked, material made, one run for one Idempotency-Key."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from runledger.tracker.spec import JsonObject
from tests.api.conftest import HELDOUT, LAUNCH, TRAIN, Api, announce


def test_the_preset_lies_over_the_defaults_and_the_spec_over_the_preset(api: Api) -> None:
    run_id = api.launch(spec={"seed": 9, "rate": 0.5})
    values = api.client.get(f"/api/v1/runs/{run_id}").json()["spec"]["values"]
    assert (values["seed"], values["steps"], values["rate"]) == (9, 3, 0.5)


def test_what_a_spec_describes_is_made_and_registered(api: Api) -> None:
    run_id = api.launch()
    values = api.client.get(f"/api/v1/runs/{run_id}").json()["spec"]["values"]
    dataset = api.get(f"/datasets/{values['data']}")
    benchmark = api.get(f"/benchmarks/{values['benchmark']}")
    assert (dataset["items"], dataset["source"]["options"]["split"]) == (20, "train")
    assert benchmark["name"] == "sums"
    assert api.get(f"/datasets/{benchmark['dataset']}")["items"] == 10
    assert api.backend.blobs.size(values["data"]) == dataset["size_bytes"]


def test_the_same_description_is_registered_once(api: Api) -> None:
    api.launch()
    before = api.backend.log.head()
    api.launch()
    assert api.backend.log.head() == before + 1


def test_a_registered_dataset_is_named_by_its_digest(api: Api) -> None:
    digest = api.client.post("/api/v1/datasets", json=TRAIN).json()["digest"]
    run_id = api.launch(preset=None, spec={"data": digest})
    assert api.client.get(f"/api/v1/runs/{run_id}").json()["params"]["data"] == digest


def test_an_experiment_is_created_by_its_name_and_found_again(api: Api) -> None:
    first, second = api.launch(experiment="new"), api.launch(experiment="new")
    ids = {api.client.get(f"/api/v1/runs/{each}").json()["experiment_id"] for each in (first, second)}
    assert len(ids) == 1
    by_id = api.launch(experiment=ids.copy().pop())
    assert api.client.get(f"/api/v1/runs/{by_id}").json()["experiment_id"] in ids


def test_a_name_that_was_launched_into_is_not_taken_for_granted(api: Api) -> None:
    runs = [api.launch(experiment="sums") for _ in range(2)]
    first = api.get(f"/runs/{runs[1]}")["experiment_id"]
    assert api.client.patch(f"/api/v1/experiments/{first}", json={"name": "old sums"}).status_code == 200
    assert api.get(f"/runs/{api.launch(experiment='sums')}")["experiment_id"] != first


def test_an_archived_experiment_takes_no_runs(api: Api) -> None:
    run_id = api.launch()
    experiment = api.client.get(f"/api/v1/runs/{run_id}").json()["experiment_id"]
    api.client.post(f"/api/v1/experiments/{experiment}/archive")
    refused = api.client.post("/api/v1/runs", json=LAUNCH)
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:runledger:problem:experiment-is-archived"


BAD: list[tuple[JsonObject, str]] = [
    ({"spec": {"stepz": 1}}, "$.spec.stepz"),
    ({"spec": {"steps": 0}}, "$.spec.steps"),
    ({"spec": {"steps": "many"}}, "$.spec.steps"),
    ({"spec": {"seed": 2**70}}, "$.spec.seed"),
    ({"spec": {"data": "e" * 64}}, "$.spec.data"),
    ({"spec": {"data": {"generator": "none"}}, "preset": None}, "$.spec.data.generator"),
    ({"spec": {"data": {"options": {"items": -1}}}}, "$.spec.data.options.items"),
    ({"spec": {"data": {"more": 1}}}, "$.spec.data"),
    ({"spec": {"benchmark": {"tolerance": -1}}}, "$.spec.benchmark.tolerance"),
    ({"spec": {"data": 7}}, "$.spec.data"),
    ({"preset": None}, "$.spec"),
    ({"limits": {"attempts": 0}}, "$.limits.attempts"),
    ({"limits": {"atempts": 1}}, "$.limits.atempts"),
    ({"device": {"kind": "abacus"}}, "$.device.kind"),
    ({"priority": "high"}, "$.priority"),
    ({"tags": {"a": 1}}, "$.tags[...]"),
    ({"name": ""}, "$.name"),
    ({"colour": "red"}, "$.colour"),
]


@pytest.mark.parametrize(("changes", "place"), BAD, ids=[place for _, place in BAD])
def test_what_does_not_fit_is_named_and_nothing_is_appended(
    api: Api, changes: JsonObject, place: str
) -> None:
    answer = api.client.post("/api/v1/runs", json=LAUNCH | changes)
    assert answer.status_code == 422, answer.text
    assert answer.json()["faults"][0]["place"] == place
    assert api.backend.log.head() == 0


def test_an_unknown_recipe_or_preset_is_named(api: Api) -> None:
    recipe = api.client.post("/api/v1/runs", json=LAUNCH | {"recipe": "none"})
    preset = api.client.post("/api/v1/runs", json=LAUNCH | {"preset": "none"})
    assert (recipe.status_code, preset.status_code) == (422, 422)
    assert "announced: toy" in recipe.json()["detail"]
    assert "its presets: tiny" in preset.json()["detail"]


def test_a_repeated_key_gets_the_first_answer(api_on_each: Api) -> None:
    headers = {"Idempotency-Key": "abc"}
    first = api_on_each.client.post("/api/v1/runs", json=LAUNCH, headers=headers)
    again = api_on_each.client.post("/api/v1/runs", json=LAUNCH, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()


def test_a_key_for_another_body_is_refused(api: Api) -> None:
    headers = {"Idempotency-Key": "abc"}
    api.client.post("/api/v1/runs", json=LAUNCH, headers=headers)
    refused = api.client.post("/api/v1/runs", json=LAUNCH | {"name": "other"}, headers=headers)
    assert refused.status_code == 422
    assert refused.json()["type"] == "urn:runledger:problem:key-reused"


def test_a_refused_launch_does_not_use_up_its_key(api: Api) -> None:
    headers = {"Idempotency-Key": "abc"}
    api.client.post("/api/v1/runs", json=LAUNCH | {"spec": {"steps": 0}}, headers=headers)
    assert api.client.post("/api/v1/runs", json=LAUNCH, headers=headers).status_code == 201


def test_duplicates_at_the_same_moment_launch_one_run(api_on_each: Api) -> None:
    together = threading.Barrier(4)

    def post(number: int) -> Any:
        together.wait(10)
        return api_on_each.client.post("/api/v1/runs", json=LAUNCH, headers={"Idempotency-Key": "abc"})

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(post, range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    assert len(api_on_each.get("/runs")["items"]) == 1


def test_launches_into_a_new_experiment_at_the_same_moment_share_it(api_on_each: Api) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda number: api_on_each.launch(name=f"run {number}"), range(4)))
    found = [api_on_each.get(f"/runs/{run}")["experiment_id"] for run in runs]
    assert len(set(found)) == 1
    assert len(api_on_each.get("/experiments")["items"]) == 1


def test_a_benchmark_can_be_described_over_a_registered_dataset(api: Api) -> None:
    digest = api.client.post("/api/v1/datasets", json=HELDOUT).json()["digest"]
    described = {"name": "sums", "dataset": digest, "scorer": "exact_match"}
    run_id = api.launch(spec={"benchmark": described})
    values = api.client.get(f"/api/v1/runs/{run_id}").json()["spec"]["values"]
    assert api.get(f"/benchmarks/{values['benchmark']}")["dataset"] == digest


def test_nothing_can_be_launched_before_a_worker_has_announced(api: Api) -> None:
    announce(api.backend.ledger)
    refused = api.client.post("/api/v1/runs", json=LAUNCH)
    assert refused.json()["detail"] == "no worker has announced a recipe 'toy'; announced: none"
