"""Benchmarks, evaluations and their predictions over HTTP; recipes."""

from __future__ import annotations

import math

import msgspec
import pytest
from sqlalchemy import update

from runledger.tracker.aggregates import evaluation as commands
from runledger.tracker.events.base import Score
from runledger.tracker.ids import Digest, EvaluationId
from runledger.tracker.store.engine import write
from runledger.tracker.store.tables import workers
from tests.api.conftest import HELDOUT, RECIPE, Api
from tests.api.test_runs import checkpoint, start

BENCHMARK = {"name": "sums", "dataset": HELDOUT, "scorer": "exact_match", "tolerance": 0.5}


@pytest.fixture
def evaluation_id(api: Api) -> str:
    """An evaluation of a checkpoint, completed with 120 predictions."""
    run_id = api.launch()
    start(api, run_id)
    digest = checkpoint(api, run_id, b"state")
    benchmark = api.client.get(f"/api/v1/runs/{run_id}").json()["params"]["benchmark"]
    evaluation_id = EvaluationId("e" * 32)
    api.command(
        commands.RequestEvaluation(
            evaluation_id=evaluation_id,
            run_id=run_id,
            step=5,
            checkpoint=Digest(digest),
            benchmark_id=benchmark,
            requested_by="worker:w1",
        )
    )
    lines = (msgspec.json.encode({"id": str(number), "prediction": "4"}) for number in range(120))
    predictions = api.backend.blobs.put_bytes(b"\n".join(lines))
    api.command(commands.StartEvaluation(evaluation_id=evaluation_id, attempt=1, worker="w1", epoch=1))
    api.command(
        commands.CompleteEvaluation(
            evaluation_id=evaluation_id,
            attempt=1,
            scores=(Score(name="exact_match", value=0.5, low=math.nan, high=0.6, count=120),),
            predictions=predictions,
            items=120,
        )
    )
    return evaluation_id


def test_a_benchmark_is_defined_once(api_on_each: Api) -> None:
    first = api_on_each.client.post("/api/v1/benchmarks", json=BENCHMARK)
    again = api_on_each.client.post("/api/v1/benchmarks", json=BENCHMARK)
    assert (first.status_code, first.json()) == (201, again.json())
    [listed] = api_on_each.get("/benchmarks")["items"]
    assert (listed["name"], listed["tolerance"], listed["baseline"]) == ("sums", 0.5, None)
    assert listed["dataset"] == first.json()["dataset"]


def test_a_benchmark_of_an_unknown_dataset_is_refused(api: Api) -> None:
    answer = api.client.post("/api/v1/benchmarks", json=BENCHMARK | {"dataset": "e" * 64})
    assert answer.status_code == 422
    assert answer.json()["faults"][0]["place"] == "$.dataset"


def test_an_evaluation_shows_its_scores(api: Api, evaluation_id: str) -> None:
    found = api.get(f"/evaluations/{evaluation_id}")
    assert found["status"] == "completed"
    assert found["scores"][0] == {
        "name": "exact_match", "value": 0.5, "low": "NaN", "high": 0.6, "count": 120, "unscored": 0
    }  # fmt: skip
    assert [row["evaluation_id"] for row in api.get("/evaluations")["items"]] == [evaluation_id]
    assert len(api.get(f"/runs/{found['run_id']}/evaluations")["items"]) == 1
    assert api.get("/evaluations", status="failed")["items"] == []


def test_predictions_are_paged_in_the_order_of_the_dataset(api: Api, evaluation_id: str) -> None:
    path, ids, query = f"/evaluations/{evaluation_id}/predictions", [], {"limit": 50}
    while True:
        page = api.get(path, **query)
        ids += [(row["index"], row["prediction"]["id"]) for row in page["items"]]
        if page["next"] is None:
            break
        query = {"limit": 50, "cursor": page["next"]}
    assert ids == [(number, str(number)) for number in range(120)]


def test_an_exact_last_page_has_no_next(api: Api, evaluation_id: str) -> None:
    page = api.get(f"/evaluations/{evaluation_id}/predictions", limit=120)
    assert (len(page["items"]), page["next"]) == (120, None)


def test_recipes_come_with_schema_and_presets(api: Api) -> None:
    [recipe] = api.get("/recipes")["items"]
    assert (recipe["name"], recipe["schema"], recipe["presets"]) == ("toy", RECIPE.schema, RECIPE.presets)
    assert recipe["workers"] == ["w1"]


def test_the_recipes_of_a_worker_that_is_gone_are_not_listed_but_can_be_launched(api: Api) -> None:
    with write(api.backend.ledger) as conn:
        conn.execute(update(workers).values(seen_at=0))
    assert api.get("/recipes")["items"] == []
    api.launch()
