"""Curves and output of a run over HTTP."""

from __future__ import annotations

import asyncio
import math
import struct
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from runledger.api.http import encoding
from runledger.tracker.envelope import Metadata, NewEvent
from runledger.tracker.events.base import Event
from runledger.tracker.events.telemetry import LogsRecorded, MetricsRecorded
from runledger.tracker.ids import Digest, RunId, telemetry_stream
from tests.api.conftest import Api
from tests.api.test_runs import start

VALUES = (1.0, math.nan, math.inf, -math.inf, 0.5)


def record(api: Api, run_id: str, *events: Event, attempt: int = 1, after: int = 0) -> None:
    new = [
        NewEvent(
            event_id=uuid.uuid4(),
            event=event,
            occurred_at=datetime.now(UTC),
            metadata=Metadata(actor="worker:w1"),
        )
        for event in events
    ]
    api.backend.dispatcher.record(telemetry_stream(RunId(run_id), attempt), after, new)


def points(key: str, *values: float) -> MetricsRecorded:
    count = len(values)
    return MetricsRecorded(
        keys=(key,),
        key_index=bytes(2 * count),
        step=struct.pack(f"<{count}q", *range(count)),
        time=struct.pack(f"<{count}q", *(1_000_000 * step for step in range(count))),
        value=struct.pack(f"<{count}d", *values),
    )


def output(api: Api, start: int, content: bytes) -> LogsRecorded:
    digest = api.backend.blobs.put_bytes(content)
    return LogsRecorded(start=start, size_bytes=len(content), digest=Digest(digest))


@pytest.fixture
def run_id(api_on_each: Api) -> str:
    run_id = api_on_each.launch()
    start(api_on_each, run_id)
    return run_id


def test_a_curve_spells_what_json_has_no_numbers_for(api_on_each: Api, run_id: str) -> None:
    record(api_on_each, run_id, points("train/loss", *VALUES))
    series = api_on_each.get(f"/runs/{run_id}/metrics/train/loss")
    assert series["value"] == [1.0, "NaN", "Infinity", "-Infinity", 0.5]
    assert [float(value) for value in series["value"]][2:] == list(VALUES[2:])
    assert (series["points"], series["non_finite"], series["step"]) == (5, 3, [0, 1, 2, 3, 4])


def test_metrics_are_summarised_by_key(api_on_each: Api, run_id: str) -> None:
    record(api_on_each, run_id, points("a", *VALUES), points("b", math.nan))
    first, second = api_on_each.get(f"/runs/{run_id}/metrics")["items"]
    assert (first["key"], first["points"], first["min_value"], first["max_value"]) == ("a", 5, 0.5, 1.0)
    assert (second["key"], second["last_value"], second["min_value"]) == ("b", "NaN", None)


def test_a_long_curve_is_thinned_out(api_on_each: Api, run_id: str) -> None:
    record(api_on_each, run_id, points("loss", *(math.sin(step / 30) for step in range(1000))))
    series = api_on_each.get(f"/runs/{run_id}/metrics/loss", max_points=50)
    assert series["points"] == 1000
    assert len(series["value"]) <= 50
    assert (series["step"][0], series["step"][-1]) == (0, 999)


def test_a_curve_is_encoded_in_a_thread_of_its_request(
    api_on_each: Api, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_the_loop: list[bool] = []
    encode = encoding.encode

    def noting(value: Any) -> bytes:
        on_the_loop.append(_is_on_a_loop())
        return encode(value)

    record(api_on_each, run_id, points("loss", 0.5))
    api_on_each.catch_up()
    monkeypatch.setattr(encoding, "encode", noting)
    assert api_on_each.client.get(f"/api/v1/runs/{run_id}/metrics/loss").status_code == 200
    assert on_the_loop == [False]


def _is_on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def test_a_metric_that_was_never_logged_is_not_found(api_on_each: Api, run_id: str) -> None:
    assert api_on_each.client.get(f"/api/v1/runs/{run_id}/metrics/none").status_code == 404


def test_curves_are_not_kept_by_caches(api_on_each: Api, run_id: str) -> None:
    answer = api_on_each.client.get(f"/api/v1/runs/{run_id}/metrics")
    assert answer.headers["cache-control"] == "no-store"


def test_output_comes_as_it_was_printed_over_all_its_chunks(api_on_each: Api, run_id: str) -> None:
    first, second = b"one\r\ntwo \xff\n", b"three\n"
    record(api_on_each, run_id, output(api_on_each, 0, first), output(api_on_each, len(first), second))
    api_on_each.catch_up()
    path, whole = f"/api/v1/runs/{run_id}/logs", first + second
    answer = api_on_each.client.get(path)
    assert answer.content == whole
    assert answer.headers["x-attempt"] == "1"
    part = api_on_each.client.get(path, headers={"Range": "bytes=4-13"})
    assert (part.status_code, part.content) == (206, whole[4:14])
    assert api_on_each.client.get(path, params={"tail": 3}).content == whole[-3:]
    assert api_on_each.client.get(path, params={"tail": 10_000}).content == whole


def test_output_of_another_attempt_is_asked_for_by_number(api_on_each: Api, run_id: str) -> None:
    record(api_on_each, run_id, output(api_on_each, 0, b"first"))
    record(api_on_each, run_id, output(api_on_each, 0, b"second"), attempt=2)
    api_on_each.catch_up()
    path = f"/api/v1/runs/{run_id}/logs"
    assert api_on_each.client.get(path).content == b"second"
    assert api_on_each.client.get(path, params={"attempt": 1}).content == b"first"
    assert api_on_each.client.get(path, params={"attempt": 3}).status_code == 404


def test_a_run_that_has_printed_nothing_has_empty_output(api_on_each: Api, run_id: str) -> None:
    answer = api_on_each.client.get(f"/api/v1/runs/{run_id}/logs", params={"tail": 5})
    assert (answer.status_code, answer.content) == (200, b"")


def test_metrics_come_in_pages_of_keys(api_on_each: Api, run_id: str) -> None:
    keys = [f"k{number:02d}" for number in range(7)]
    for after, key in enumerate(keys):
        record(api_on_each, run_id, points(key, 0.5), after=after)
    path, found, cursor = f"/runs/{run_id}/metrics", list[str](), None
    as_of = api_on_each.get(path)["items"] and api_on_each.backend.log.head()
    for _ in range(4):
        page = api_on_each.get(path, limit=2, **({} if cursor is None else {"cursor": cursor}))
        assert page == api_on_each.get(
            path, limit=2, as_of=as_of, **({} if cursor is None else {"cursor": cursor})
        )
        found += [each["key"] for each in page["items"]]
        cursor = page["next"]
    assert (found, cursor) == (keys, None)
