"""Every error is told as problem details, with one status for each, from one map."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

import runledger.api.errors
import runledger.tracker.aggregates.errors
import runledger.tracker.errors
from runledger.api.errors import Fault
from runledger.api.http import problems
from runledger.tracker.store.engine import write
from tests.api.conftest import LAUNCH, Api

NOT_OVER_HTTP = {
    # raised by what the API does not do, or turned into another error on the way
    runledger.tracker.errors.BlobCorrupt,
    runledger.tracker.errors.CursorMoved,
    runledger.tracker.errors.EventIdTaken,
    runledger.tracker.errors.GaveUp,
    runledger.tracker.errors.JournalBroken,
    runledger.tracker.errors.BadSetting,
}

ANSWERS: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/nothing", {}, 404),
    ("GET", "/api/v1/nothing", {}, 404),
    ("GET", "/api/v1/experiments/none", {}, 404),
    ("GET", "/api/v1/datasets/none", {}, 404),
    ("GET", "/api/v1/benchmarks/none", {}, 404),
    ("GET", "/api/v1/evaluations/none", {}, 404),
    ("GET", "/api/v1/evaluations/none/predictions", {}, 404),
    ("GET", "/api/v1/blobs/none", {}, 404),
    ("GET", f"/api/v1/blobs/{'e' * 64}", {}, 404),
    ("POST", "/api/v1/runs/none/cancel", {}, 404),
    ("PATCH", "/api/v1/runs/none", {"json": {"name": "x"}}, 404),
    ("POST", "/api/v1/experiments/none/archive", {}, 404),
    ("PUT", "/api/v1/runs", {"json": {}}, 405),
    ("DELETE", "/api/v1/health", {}, 405),
    ("POST", "/api/v1/runs", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
    ("POST", "/api/v1/runs", {"content": b"\xff", "headers": {"Content-Type": "application/json"}}, 400),
    (
        "POST",
        "/api/v1/runs",
        {"content": b'{"spec":' * 5000, "headers": {"Content-Type": "application/json"}},
        400,
    ),
    ("GET", "/api/v1/runs?cursor=nonsense", {}, 400),
    ("GET", "/api/v1/runs?cursor=é", {}, 400),
    ("POST", "/api/v1/runs", {}, 422),
    ("POST", "/api/v1/runs", {"json": []}, 422),
    ("GET", "/api/v1/runs?limit=0", {}, 422),
    ("GET", "/api/v1/runs?limit=many", {}, 422),
    ("GET", "/api/v1/runs?status=asleep", {}, 422),
    ("GET", "/api/v1/runs?as_of=-1", {}, 422),
    ("GET", "/api/v1/runs?as_of=null", {}, 422),
    ("GET", "/api/v1/runs?after=NULL", {}, 422),
    ("GET", "/api/v1/runs?status=null", {}, 422),
    ("PATCH", "/api/v1/runs/none", {"json": {}}, 422),
    ("PATCH", "/api/v1/runs/none", {"json": {"name": "x"}, "headers": {"If-Match": "three"}}, 422),
    ("POST", "/api/v1/runs", {"json": LAUNCH, "headers": {"Idempotency-Key": "k" * 201}}, 422),
    ("POST", "/api/v1/runs", {"json": LAUNCH, "headers": {"X-Request-Id": "x" * 201}}, 422),
    ("POST", "/api/v1/datasets", {"json": {"generator": "none"}}, 422),
    ("GET", "/api/v1/events/stream?after=9", {}, 422),
    ("GET", "/api/v1/events/stream", {"headers": {"Last-Event-ID": "x"}}, 422),
    ("POST", "/api/v1/runs", {"json": LAUNCH | {"name": "x" * 3_000_000}}, 413),
]


@pytest.mark.parametrize(
    ("method", "path", "request_", "status"),
    ANSWERS,
    ids=[f"{status} {method} {path[:40]} {index}" for index, (method, path, _, status) in enumerate(ANSWERS)],
)
def test_what_is_wrong_is_told_as_a_problem(
    shared_api: Api, method: str, path: str, request_: dict[str, Any], status: int
) -> None:
    answer = shared_api.client.request(method, path, **request_)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:runledger:problem:")
    assert problem["title"]
    assert problem["detail"]


def test_methods_that_are_allowed_are_named(shared_api: Api) -> None:
    assert "GET" in shared_api.client.delete("/api/v1/recipes").headers["allow"]


def errors_of(module: Any, base: type[Exception]) -> Iterator[type[Exception]]:
    for _, found in inspect.getmembers(module, inspect.isclass):
        if issubclass(found, base) and found is not base:
            yield found


@pytest.mark.parametrize(
    "error",
    [
        *errors_of(runledger.api.errors, runledger.api.errors.ApiError),
        *errors_of(runledger.tracker.errors, runledger.tracker.errors.TrackerError),
        *errors_of(runledger.tracker.aggregates.errors, runledger.tracker.errors.Refused),
    ],
)
def test_every_named_error_has_its_status(error: type[Exception]) -> None:
    mapped = any(ancestor in problems.STATUS for ancestor in error.__mro__)
    assert mapped != (error in NOT_OVER_HTTP)


def test_a_defect_says_nothing_of_the_inside(api: Api) -> None:
    with write(api.backend.views.engine) as conn:
        conn.execute(text("DROP TABLE experiments_v1"))
    answer = api.client.get("/api/v1/experiments")
    assert answer.status_code == 500
    assert answer.json()["detail"] == "see the log"


def test_an_unreachable_database_is_told_with_a_time_to_come_back(api: Api) -> None:
    url = api.backend.ledger.url.database
    assert url is not None
    api.backend.ledger.dispose()
    Path(url).write_bytes(b"this is not a database, and it is long enough to be looked at" * 20)
    answer = api.client.get("/api/v1/health/ready")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert Path(url).name not in answer.text
    assert api.client.get("/api/v1/health/live").status_code == 200


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (
            "Expected `int`, got `str` - at `$.limits.attempts`",
            Fault("$.limits.attempts", "Expected `int`, got `str`"),
        ),
        ("Object contains unknown field `q`", Fault("$.q", "unknown field")),
        ("Object contains unknown field `q` - at `$.limits`", Fault("$.limits.q", "unknown field")),
        ("Object missing required field `recipe`", Fault("$.recipe", "missing")),
        ("Expected `object`, got `array`", Fault("$", "Expected `object`, got `array`")),
    ],
)
def test_the_place_is_taken_from_the_decoder(message: str, fault: Fault) -> None:
    assert problems.fault_of_message(message) == fault
