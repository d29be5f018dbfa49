"""What an attempt executed elsewhere is told of: under its lease, once, and with what it names in place."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import HELDOUT, Api
from tests.api.elsewhere import Executor, begun, kind_of


def facts_of(executor: Executor) -> dict[str, dict[str, Any]]:
    """Every kind of write below an attempt, with a good body."""
    digest = executor.put(b"x")
    state = {"step": 3, "digest": digest, "size_bytes": 1, "covers": {"version": 0, "offset": 0}}
    return {
        "heartbeat": {},
        "params": {"params": {"late": 1}},
        "environment": {"versions": {"python": "3.11"}, "devices": ["cpu"]},
        "checkpoints": state,
        "artifacts": {"path": "a.txt", "digest": digest, "size_bytes": 1},
        "end": {"outcome": "completed"},
    }


def test_a_stale_epoch_tells_nothing(api_on_each: Api) -> None:
    executor = begun(api_on_each)
    executor.fall_silent()
    executor.start()
    head = api_on_each.backend.log.head()
    for part, body in facts_of(executor).items():
        for stale in (1, 2, 9):
            refused = executor.tell(part, epoch=stale, **body)
            assert (refused.status_code, kind_of(refused)) == (409, "lease-lost"), part
    assert api_on_each.backend.log.head() == head
    assert executor.is_held()


def test_a_lost_attempt_is_told_that_it_lost_its_lease_whatever_it_tells(api: Api) -> None:
    executor = begun(api)
    executor.fall_silent()
    for part, body in facts_of(executor).items():
        assert kind_of(executor.tell(part, **body)) == "lease-lost", part


def test_every_write_may_be_repeated(api_on_each: Api) -> None:
    executor = begun(api_on_each)
    for part, body in facts_of(executor).items():
        first = executor.good(part, **body)
        head = api_on_each.backend.log.head()
        assert executor.good(part, **body) == first, part
        assert api_on_each.backend.log.head() == head, part


def test_every_write_may_be_repeated_after_the_lease_was_lost_and_taken_again(api: Api) -> None:
    executor = begun(api)
    parts = facts_of(executor)
    parts.pop("end")
    for part, body in parts.items():
        executor.good(part, **body)
    executor.fall_silent()
    executor.start()
    head = api.backend.log.head()
    for part, body in parts.items():
        executor.good(part, **body)
    assert api.backend.log.head() == head


ENDS = ["completed", "failed", "cancelled", "preempted", "lost"]


@pytest.mark.parametrize("outcome", ENDS)
def test_an_end_is_told_once_and_no_other_after_it(api_on_each: Api, outcome: str) -> None:
    executor = begun(api_on_each)
    executor.good("end", outcome=outcome)
    head = api_on_each.backend.log.head()
    executor.good("end", outcome=outcome)
    assert api_on_each.backend.log.head() == head
    assert not executor.is_held()
    for other in ENDS:
        if other != outcome:
            refused = executor.tell("end", outcome=other)
            assert refused.status_code == 409
            assert kind_of(refused) == ("lease-lost" if outcome == "lost" else "attempt-ended")


def test_its_own_executor_may_cancel_it(api: Api) -> None:
    executor = begun(api)
    executor.good("end", outcome="cancelled", step=4, message="Ctrl-C")
    assert executor.tags()[-2:] == ["RunCancellationRequested", "RunCancelled"]
    run = executor.show()
    assert (run["status"], run["step"]) == ("cancelled", 4)


def test_evaluations_are_told_with_their_checkpoint_once(api_on_each: Api) -> None:
    executor = begun(api_on_each)
    dataset = api_on_each.client.post("/api/v1/datasets", json=HELDOUT).json()["digest"]
    benchmark = api_on_each.client.post(
        "/api/v1/benchmarks", json={"name": "sums", "dataset": dataset, "scorer": "exact_match"}
    ).json()["benchmark_id"]
    score = {"name": "exact_match", "value": 0.5, "low": 0.4, "high": 0.6, "count": 10}
    found = {
        "benchmark_id": benchmark,
        "scores": [score, {"name": "loss", "value": "NaN", "count": 10}],
        "predictions": executor.put(b'{"id":"1"}\n'),
        "items": 10,
    }
    assert executor.checkpoint(5, b"state", evaluations=[found]).status_code == 200
    executor.fall_silent()
    executor.start()
    head = api_on_each.backend.log.head()
    assert executor.checkpoint(5, b"state", evaluations=[found]).status_code == 200
    assert api_on_each.backend.log.head() == head
    (evaluation,) = api_on_each.get(f"/runs/{executor.run_id}/evaluations")["items"]
    assert (evaluation["status"], evaluation["step"], evaluation["worker"]) == ("completed", 5, "node-1")
    assert [each["value"] for each in evaluation["scores"]] == [0.5, "NaN"]
    assert executor.tags().count("RunEvaluated") == 1


ABSENT = "0" * 64


@pytest.mark.parametrize(
    ("part", "body"),
    [
        ("artifacts", {"path": "a", "digest": ABSENT, "size_bytes": 1}),
        (
            "checkpoints",
            {"step": 1, "digest": ABSENT, "size_bytes": 1, "covers": {"version": 0, "offset": 0}},
        ),
        ("environment", {"versions": {}, "devices": [], "code_diff_digest": ABSENT}),
    ],
)
def test_a_blob_that_is_not_there_is_named(api: Api, part: str, body: dict[str, Any]) -> None:
    answer = begun(api).tell(part, **body)
    assert (answer.status_code, kind_of(answer)) == (404, "blob-missing")
    assert ABSENT in answer.json()["detail"]


def test_what_a_checkpoint_says_of_its_surroundings_is_checked(api: Api) -> None:
    executor = begun(api)
    beyond = executor.checkpoint(5, b"state", covers={"version": 1, "offset": 0})
    assert beyond.json()["faults"][0]["place"] == "$.covers.version"
    size = executor.checkpoint(5, b"state", size_bytes=4)
    assert size.json()["faults"][0]["place"] == "$.size_bytes"
    unknown = {"benchmark_id": "none", "scores": [], "predictions": executor.put(b""), "items": 0}
    evaluated = executor.checkpoint(5, b"state", evaluations=[unknown])
    assert evaluated.json()["faults"][0]["place"] == "$.evaluations[0].benchmark_id"
    assert executor.tags() == ["RunRequested", "RunStarted"]


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("heartbeat", {"done": -1}, "$.done"),
    ("params", {"params": {"a": [1]}}, "$.params[...]"),
    ("params", {"params": {"a": 2**64}}, "$.params.a"),
    ("params", {}, "$.params"),
    ("environment", {"versions": {}}, "$.devices"),
    ("environment", {"versions": {}, "devices": [], "seed": 2**64}, "$"),
    ("artifacts", {"path": "x" * 501, "digest": ABSENT, "size_bytes": 1}, "$.path"),
    ("artifacts", {"path": "a", "digest": "A" * 64, "size_bytes": 1}, "$.digest"),
    ("checkpoints", {"step": -1, "digest": ABSENT, "size_bytes": 1, "covers": {}}, "$.step"),
    ("end", {"outcome": "paused"}, "$.outcome"),
    ("end", {"outcome": "completed", "metrics": {"a": "lots"}}, "$.metrics[...]"),
    ("end", {"outcome": "completed", "colour": "red"}, "$.colour"),
    ("end", {"outcome": "completed", "occurred_at": "1969-12-31T23:59:59Z"}, "$.occurred_at"),
]


@pytest.mark.parametrize(("part", "body", "place"), BAD)
def test_what_does_not_fit_is_named(api: Api, part: str, body: dict[str, Any], place: str) -> None:
    executor = begun(api)
    answer = executor.tell(part, **body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["faults"][0]["place"] == place
    assert executor.tags() == ["RunRequested", "RunStarted"]


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a//b", "a/"])
def test_a_path_out_of_the_run_is_refused(api: Api, path: str) -> None:
    executor = begun(api)
    answer = executor.tell("artifacts", path=path, digest=executor.put(b"x"), size_bytes=1)
    assert (answer.status_code, answer.json()["faults"][0]["place"]) == (422, "$.path")


@pytest.mark.parametrize("epoch", ["", "0", "-1", "x"])
def test_the_epoch_is_needed_and_counts_from_one(api: Api, epoch: str) -> None:
    executor = begun(api)
    headers = {"X-Lease-Epoch": epoch} if epoch else {}
    path = f"/api/v1/runs/{executor.run_id}/attempts/1/heartbeat"
    answer = api.client.post(path, json={}, headers=headers)
    assert answer.status_code == 422
    assert "X-Lease-Epoch" in answer.json()["detail"]
