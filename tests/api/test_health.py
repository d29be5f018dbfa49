"""How the whole fares, told to people and to Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, update

from runledger.projections.mlflow.state import RunState, SinkState
from runledger.tracker.ids import RunId, new_id, run_stream
from runledger.tracker.seal.place import Place
from runledger.tracker.seal.rows import note_problem
from runledger.tracker.seal.sealer import Sealer
from runledger.tracker.store import dispatches, leases
from runledger.tracker.store.dispatches import Dispatch
from runledger.tracker.store.engine import write
from runledger.tracker.store.tables import workers
from tests.api.conftest import DIGEST, Api
from tests.api.elsewhere import begun
from tests.tracker.seal.histories import seal_all


def test_health_tells_lag_workers_and_queue(api_on_each: Api) -> None:
    assert api_on_each.client.get("/api/v1/health").json()["status"] == "ok"
    api_on_each.launch()
    head = api_on_each.backend.log.head()
    behind = api_on_each.client.get("/api/v1/health").json()
    assert {each["lag"] for each in behind["projections"]} == {head}
    after = api_on_each.get("/health")
    assert (after["position"], {each["lag"] for each in after["projections"]}) == (head, {0})
    assert [worker["worker_id"] for worker in after["workers"]] == ["w1"]


def test_health_tells_how_far_the_log_is_sealed_and_why_it_is_not(api: Api, tmp_path: Path) -> None:
    api.launch()
    log = api.backend.log
    place = Place(f"file://{tmp_path / 'seals'}", log.log_id)
    assert seal_all(Sealer(log, place, Ed25519PrivateKey.generate())) == 1
    api.launch()
    seal = api.get("/health")["seal"]
    assert (seal["position"], seal["position"] + seal["lag"]) == (log.head() - 1, log.head())
    assert seal["sealed_at"] is not None

    note_problem(api.backend.ledger, "position 1: it is missing")
    health = api.get("/health")
    assert health["problems"] == ["sealer has stopped: position 1: it is missing"]


def test_a_missing_worker_degrades_the_health(api: Api) -> None:
    with write(api.backend.ledger) as conn:
        conn.execute(update(workers).values(seen_at=0))
    health = api.client.get("/api/v1/health").json()
    assert (health["status"], health["workers"][0]["is_missing"]) == ("degraded", True)
    assert health["problems"] == ["worker w1 was last seen at 1970-01-01 00:00:00 UTC"]


def test_attempts_that_nobody_finds_lost_degrade_the_health(api: Api) -> None:
    executor = begun(api)
    assert leases.renew(api.backend.ledger, run_stream(RunId(executor.run_id)), executor.epoch, -1.0)
    assert api.client.get("/api/v1/health").json()["problems"] == []
    with write(api.backend.ledger) as conn:
        conn.execute(delete(workers))
    (problem,) = api.client.get("/api/v1/health").json()["problems"]
    assert problem == "1 attempts fell silent, and no worker is there to find them lost"


def test_a_run_that_mlflow_would_not_have_is_named_in_the_health(api: Api) -> None:
    run_id = api.launch()
    state = SinkState(api.backend.views.engine, "http://127.0.0.1:8601")
    state.begin([], datetime.now(UTC))
    state.save(RunState(run_id=run_id, problem="a param is too long", failures=2))

    health = api.get("/health")

    [quarantined] = health["mlflow"]["quarantined"]
    assert (quarantined["run_id"], quarantined["failures"]) == (run_id, 2)
    assert health["problems"] == [f"MLflow would not have run {run_id}: a param is too long"]


def test_a_caller_cannot_make_series_without_an_end(api: Api) -> None:
    for number in range(3):
        api.client.request(f"MADE-UP-{number}", "/api/v1/runs")
    told = api.client.get("/metrics").text
    assert "MADE-UP" not in told
    assert 'method="other"' in told


def test_prometheus_reads_how_far_everything_is(api: Api) -> None:
    api.launch()
    answer = api.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    head = api.backend.log.head()
    assert f"runledger_log_position {float(head)}" in answer.text
    assert f'runledger_consumer_lag_events{{consumer="runs"}} {float(head)}' in answer.text
    assert 'runledger_http_requests_total{method="POST",route="/api/v1/runs",status="201"}' in answer.text


def test_attempts_of_a_recipe_that_was_changed_degrade_the_health(api: Api) -> None:
    """Those that a worker could execute do not."""
    for number, digest in enumerate((DIGEST, "0" * 64)):
        row = Dispatch(
            stream=run_stream(RunId(new_id())),
            attempt=1,
            position=number + 1,
            recipe="toy",
            recipe_digest=digest,
            requested_at=datetime.now(UTC),
        )
        with write(api.backend.ledger) as conn:
            assert dispatches.add(conn, row)
    assert api.client.get("/api/v1/health").json()["problems"] == [
        "1 attempts wait for a worker with recipe 'toy' as it was when they were requested"
    ]
