"""Whatever is sent, nothing breaks: no server error, and no answer that the document does not describe.

A fixed seed and a bounded number of cases for each operation. The stream of events ends at once here,
because the hub is closed; that it goes on is tested with the hub.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from runledger.api.app import create_app
from runledger.api.batches import MSGPACK
from tests.api.conftest import Api, serving
from tests.api.elsewhere import begun
from tests.api.test_runs import checkpoint, start
from tests.conftest import SqliteDatabases

CASES = 15
REFUSED_FOR_ITS_MEANING = {
    "urn:runledger:problem:bad-request",
    "urn:runledger:problem:bad-cursor",
    "urn:runledger:problem:bad-input",
    "urn:runledger:problem:invalid",
    "urn:runledger:problem:key-reused",
    "urn:runledger:problem:stale-version",
    "urn:runledger:problem:unknown-recipe",
}
"""What no schema can tell: a recipe that nobody announced, a cursor that no page gave, a NUL character."""
HOST = {"Host": "localhost"}
ELSEWHERE = "a run executed elsewhere"


@schemathesis.serializer("application/x-ndjson")
def as_lines(context: Any, value: Any) -> bytes:
    """Bodies of the upload are strings of lines."""
    return value.encode() if isinstance(value, str) else msgspec.json.encode(value)


@schemathesis.serializer(MSGPACK)
def as_bytes(context: Any, value: Any) -> bytes:
    """What a batch in MessagePack holds is described in words: here it is any bytes."""
    return value.encode() if isinstance(value, str) else bytes(value)


@pytest.fixture(scope="module")
def known(_sqlite_files: SqliteDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder: Path = tmp_path_factory.mktemp("blobs")
    with serving(_sqlite_files.migrated(), folder, after_seconds=0.0) as api:
        run_id = api.launch()
        start(api, run_id)
        checkpoint(api, run_id, b"state")
        begun(api)
        api.catch_up()
        api.backend.hub.close()
        yield api


@pytest.fixture(scope="module")
def ids(known: Api) -> dict[str, str]:
    """Path parameters that name something, by their names."""
    elsewhere, run = known.get("/runs")["items"]
    values = known.get(f"/runs/{run['run_id']}")["params"]
    return {
        "run_id": run["run_id"],
        ELSEWHERE: elsewhere["run_id"],
        "attempt": "1",
        "experiment_id": run["experiment_id"],
        "benchmark_id": values["benchmark"],
        "digest": values["data"],
        "key": "train/loss",
    }


def test_no_request_breaks_anything(known: Api, ids: dict[str, str]) -> None:
    app = create_app(known.backend)
    schema = schemathesis.openapi.from_asgi("/schema/openapi.json", app, headers=HOST)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 30
    problems = [problem for operation in operations for problem in _problems(operation, ids)]
    assert not problems, "\n".join(problems)


def _problems(operation: Any, ids: dict[str, str]) -> Iterator[str]:
    try:
        _try(operation, ids)
    except (AssertionError, FailureGroup) as problem:
        yield f"{operation.label}: {problem}"


def _try(operation: Any, ids: dict[str, str]) -> None:
    """Requests that fit the description of the operation, and requests that do not."""
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        with contextlib.suppress(Unsatisfiable):  # an operation without parameters has nothing to get wrong
            _send_cases(operation, mode, ids)


def _send_cases(operation: Any, mode: GenerationMode, ids: dict[str, str]) -> None:
    @settings(
        max_examples=CASES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            _name_something(case, ids)
        answer = case.call(headers=HOST)
        assert answer.status_code not in (500, 502, 504), answer.text
        excluded = [not_a_server_error]
        is_described = case.media_type != MSGPACK
        if answer.status_code in (400, 412, 422) and (
            not is_described or _is_refused_for_its_meaning(answer.json())
        ):
            excluded.append(positive_data_acceptance)
        if answer.status_code == 413:  # too large to be looked at, whatever else is wrong with it
            excluded.append(negative_data_rejection)
        case.validate_response(answer, excluded_checks=excluded)

    send()


def _is_refused_for_its_meaning(problem: dict[str, Any]) -> bool:
    """Also 3.0 for an integer, which is one to JSON Schema and none to us."""
    is_float = re.search(r"Expected `int( \| null)?`, got `float`", problem["detail"])
    return problem["type"] in REFUSED_FOR_ITS_MEANING or is_float is not None


def _name_something(case: Any, ids: dict[str, str]) -> None:
    """In half of the cases, what the address names exists: attempts, of the run executed elsewhere."""
    for name, value in (case.path_parameters or {}).items():
        if len(str(value)) % 2:
            is_elsewhere = name == "run_id" and "/attempts" in case.operation.path
            case.path_parameters[name] = ids[ELSEWHERE] if is_elsewhere else ids.get(name, value)
    if "X-Lease-Epoch" in (case.headers or {}) and int(case.headers["X-Lease-Epoch"]) % 2:
        case.headers["X-Lease-Epoch"] = "1"
