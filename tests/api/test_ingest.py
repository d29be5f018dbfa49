"""Points and output of runs that are executed elsewhere: what is taken, once, and what is refused and how."""

from __future__ import annotations

import asyncio
import math
import struct
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, cast

import httpx
import msgspec
import pytest

from runledger.api.app import create_app
from runledger.api.batches import MSGPACK
from runledger.api.courier.forms import MEDIA_TYPES, Form, encode
from runledger.api.rest import telemetry
from runledger.projections.mlflow.reading import Reader
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.events.telemetry import MAX_POINTS, MetricsRecorded
from runledger.tracker.ids import RunId, telemetry_stream
from runledger.tracker.store import writer
from runledger.tracker.store.appends import Append
from runledger.tracker.store.writer import Outcome
from tests.api.conftest import Api
from tests.api.elsewhere import Executor, begun, kind_of

FORMS: tuple[Form, ...] = ("columns", "json-columns", "json-rows")
VALUES = (0.5, math.nan, math.inf, -math.inf, -0.0, 1e-300)
OCTETS = "application/octet-stream"


def points(
    keys: tuple[str, ...] = ("loss", "lr"), count: int = len(VALUES), first: int = 0
) -> MetricsRecorded:
    steps = range(first, first + count)
    return MetricsRecorded(
        keys=keys,
        key_index=struct.pack(f"<{count}H", *(at % len(keys) for at in range(count))),
        step=struct.pack(f"<{count}q", *steps),
        time=struct.pack(f"<{count}q", *(1_000_000 * step for step in steps)),
        value=struct.pack(f"<{count}d", *(VALUES[at % len(VALUES)] for at in range(count))),
    )


class Sender:
    """Sends an executor's telemetry."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def post(self, part: str, body: bytes, media_type: str, epoch: int | None = None) -> httpx.Response:
        executor = self.executor
        headers = {
            "Content-Type": media_type,
            "X-Lease-Epoch": str(executor.epoch if epoch is None else epoch),
        }
        path = f"/api/v1/runs/{executor.run_id}/attempts/{executor.attempt}/{part}"
        return executor.api.client.post(path, content=body, headers=headers)

    def batch(
        self,
        number: int,
        event: MetricsRecorded | None = None,
        form: Form = "columns",
        version: int | None = None,
        epoch: int | None = None,
    ) -> httpx.Response:
        body = encode(form, event or points(), number, version)
        return self.post("metrics", body, MEDIA_TYPES[form], epoch)

    def columns(self, **changes: Any) -> httpx.Response:
        event = points()
        whole = {name: getattr(event, name) for name in MetricsRecorded.__struct_fields__}
        return self.post("metrics", msgspec.msgpack.encode({"batch": 1} | whole | changes), MSGPACK)

    def json(self, **body: Any) -> httpx.Response:
        return self.post("metrics", msgspec.json.encode({"batch": 1} | body), "application/json")

    def output(self, start: int, data: bytes) -> httpx.Response:
        return self.post(f"output?start={start}", data, OCTETS)

    def stored(self) -> list[Any]:
        executor = self.executor
        stream = telemetry_stream(RunId(executor.run_id), executor.attempt)
        return executor.api.backend.log.read(stream)


@pytest.fixture
def sender(api_on_each: Api) -> Sender:
    return Sender(begun(api_on_each))


@pytest.fixture
def sqlite_sender(api: Api) -> Sender:
    return Sender(begun(api))


def test_the_three_forms_give_the_same_event(sender: Sender) -> None:
    for number, form in enumerate(FORMS, 1):
        answer = sender.batch(number, form=form)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["batch"], answer.json()["version"]) == (number, number)
    first, *others = [recorded.payload for recorded in sender.stored()]
    assert others == [first, first]


def test_what_json_has_no_numbers_for_reaches_the_curve(sender: Sender) -> None:
    sender.batch(1, points(keys=("loss",)), form="json-rows")
    series = sender.executor.api.get(f"/runs/{sender.executor.run_id}/metrics/loss")
    assert series["value"] == [0.5, "NaN", "Infinity", "-Infinity", -0.0, 1e-300]


def test_a_row_without_a_time_gets_that_of_its_arrival(sqlite_sender: Sender) -> None:
    rows = [{"key": "loss", "step": 1, "value": 0.5}]
    first, again = sqlite_sender.json(points=rows), sqlite_sender.json(points=rows)
    assert first.status_code == 200 and again.json() == first.json()
    (recorded,) = sqlite_sender.stored()
    (time,) = struct.unpack("<q", recorded.event.time)
    assert abs(time / 1e6 - recorded.recorded_at.timestamp()) < 60


def test_a_batch_that_comes_again_changes_nothing(sender: Sender) -> None:
    first = sender.batch(1)
    sender.batch(2)
    again = sender.batch(1)
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(sender.stored()) == 2


def test_a_batch_out_of_order_is_told_where_to_go_on(sender: Sender) -> None:
    sender.batch(1)
    sender.output(0, b"one\n")
    answer = sender.batch(3)
    assert (answer.status_code, kind_of(answer)) == (409, "not-next")
    told = answer.json()
    assert (told["version"], told["batches"], told["output_bytes"]) == (2, 1, 4)
    assert sender.batch(2, version=1).status_code == 409
    assert sender.batch(2, version=2).status_code == 200


def test_two_senders_of_the_same_batches_do_not_double_them(sender: Sender) -> None:
    def send(number: int) -> int:
        return sender.batch(number).status_code

    for number in range(1, 6):
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(send, [number, number])) == [200, 200]
    assert [recorded.version for recorded in sender.stored()] == [1, 2, 3, 4, 5]


def test_what_another_process_has_appended_is_seen(sender: Sender) -> None:
    """What is remembered of an attempt is a guess: the log decides."""
    sender.batch(1)
    sender.executor.api.backend.told.clear()
    sender.batch(2)
    key = (sender.executor.run_id, sender.executor.attempt, sender.executor.epoch)
    stale = msgspec.structs.replace(sender.executor.api.backend.told[key], version=1, batches=1)
    sender.executor.api.backend.told[key] = stale
    assert sender.batch(2).json()["version"] == 2
    sender.executor.api.backend.told[key] = stale
    assert sender.batch(3).json()["version"] == 3


def test_telemetry_that_comes_late_from_a_lost_attempt_is_kept(sender: Sender) -> None:
    sender.batch(1)
    sender.executor.fall_silent()
    answer = sender.batch(2)
    assert answer.status_code == 200, answer.text
    assert sender.output(0, b"late\n").status_code == 200
    assert len(sender.stored()) == 3


def test_an_attempt_that_has_ended_takes_nothing_more(sender: Sender) -> None:
    sender.batch(1)
    sender.executor.good("end", outcome="completed")
    answer = sender.batch(2)
    assert (answer.status_code, kind_of(answer)) == (409, "attempt-ended")
    assert sender.batch(1).status_code == 200, "a repetition is no news"
    assert len(sender.stored()) == 1


def test_an_epoch_that_holds_no_lease_is_refused(sender: Sender) -> None:
    answer = sender.batch(1, epoch=sender.executor.epoch + 1)
    assert (answer.status_code, kind_of(answer)) == (409, "lease-lost")
    assert sender.stored() == []


def test_the_epoch_of_a_later_attempt_is_none_of_an_earlier_ones(sender: Sender) -> None:
    first = sender.executor
    assert first.tell("end", outcome="preempted").status_code == 200
    later = Executor(first.api, first.run_id, worker="node-2")
    later.start()
    answer = sender.batch(1, epoch=later.epoch)
    assert (answer.status_code, kind_of(answer)) == (409, "attempt-ended")


def test_a_run_that_a_worker_executes_takes_no_telemetry_from_outside(api: Api) -> None:
    run_id = api.launch()
    executor = Executor(api, run_id)
    executor.attempt, executor.epoch = 1, 1
    answer = Sender(executor).batch(1)
    assert (answer.status_code, kind_of(answer)) == (409, "run-not-external")


def test_an_attempt_that_never_started_is_unknown(sqlite_sender: Sender) -> None:
    sqlite_sender.executor.attempt = 7
    assert sqlite_sender.batch(1).status_code in (404, 409)


COLUMN_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"keys": ["loss"]}, "is none of the 1 keys"),
    ({"keys": ["loss", "loss"]}, "named twice"),
    ({"keys": ["", "loss"]}, "empty"),
    ({"keys": ["a\0", "b"]}, "control character"),
    ({"keys": ["a\nb", "b"]}, "control character"),
    ({"keys": ["k" * 251, "b"]}, "longer than 250"),
    ({"keys": [f"k{at}" for at in range(1001)]}, "at most 1000"),
    ({"key_index": b""}, "same number of points"),
    ({"key_index": b"\0" * 13}, "same number of points"),
    ({"step": b"\0" * 8}, "same number of points"),
    ({"time": b"\0" * 47}, "same number of points"),
    ({"value": b""}, "same number of points"),
    ({"key_index": b"", "step": b"", "time": b"", "value": b""}, "where 1 to 1000 are taken"),
    ({"batch": 0}, "$.batch"),
    ({"batch": 2**63}, "$.batch"),
    ({"version": -1}, "$.version"),
    ({"what": 1}, "unknown field"),
    ({"value": [1.0]}, "$.value"),
]


@pytest.mark.parametrize(("changes", "problem"), COLUMN_FAULTS)
def test_columns_that_do_not_fit_are_named(
    sqlite_sender: Sender, changes: dict[str, Any], problem: str
) -> None:
    answer = sqlite_sender.columns(**changes)
    assert answer.status_code == 422, answer.text
    assert problem in answer.json()["detail"]
    assert answer.json()["faults"]


ROW = {"key": "loss", "step": 1, "value": 0.5}
COLUMNS = {"keys": ["loss"], "key_index": [0], "step": [1], "time": [1], "value": [0.5]}
JSON_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({}, "needs `points`, or"),
    ({"keys": ["loss"]}, "needs `points`, or"),
    ({"points": [ROW]} | COLUMNS, "exclude each other"),
    ({"points": []}, "where 1 to 1000 are taken"),
    ({"points": [ROW] * (MAX_POINTS + 1)}, "length <= 1000"),
    ({"points": [ROW | {"value": "nan"}]}, "$.points[0].value"),
    ({"points": [ROW | {"value": None}]}, "$.points[0].value"),
    ({"points": [ROW | {"step": 2**63}]}, "does not fit into 64 bits"),
    ({"points": [ROW | {"step": 1.5}]}, "$.points[0].step"),
    ({"points": [ROW | {"what": 1}]}, "unknown field"),
    ({"points": [{"step": 1, "value": 0.5}]}, "missing"),
    (COLUMNS | {"key_index": [1]}, "none of the 1 keys"),
    (COLUMNS | {"key_index": [-1]}, "16 bits without a sign"),
    (COLUMNS | {"key_index": [2**16]}, "16 bits without a sign"),
    (COLUMNS | {"time": [2**63]}, "64 bits"),
    (COLUMNS | {"step": []}, "same number of points"),
    (COLUMNS | {"value": ["a"]}, "$.value"),
]


@pytest.mark.parametrize(("body", "problem"), JSON_FAULTS)
def test_json_that_does_not_fit_is_named(sqlite_sender: Sender, body: dict[str, Any], problem: str) -> None:
    answer = sqlite_sender.json(**body)
    assert answer.status_code == 422, answer.text
    assert problem in answer.json()["detail"]
    assert sqlite_sender.stored() == []


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xc1", MSGPACK, 400),
        (b"[" * 100_000, "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"x" * (2 * 1024 * 1024 + 1), MSGPACK, 413),
    ],
)
def test_what_cannot_be_read_is_refused(
    sqlite_sender: Sender, body: bytes, media_type: str, status: int
) -> None:
    assert sqlite_sender.post("metrics", body, media_type).status_code == status


def test_output_goes_on_where_it_ended(sender: Sender) -> None:
    first, second = b"one\r\n\xff", b"two\n"
    assert sender.output(0, first).status_code == 200
    sender.batch(1)
    assert sender.output(len(first), second).json()["version"] == 3
    run_id, api = sender.executor.run_id, sender.executor.api
    api.catch_up()
    assert api.client.get(f"/api/v1/runs/{run_id}/logs").content == first + second


@pytest.mark.parametrize(("start", "data"), [(4, b"behind a gap"), (0, b"another"), (1, b"within")])
def test_output_with_a_gap_or_an_overlap_is_told_where_to_go_on(
    sender: Sender, start: int, data: bytes
) -> None:
    sender.output(0, b"one")
    answer = sender.output(start, data)
    assert (answer.status_code, kind_of(answer)) == (409, "not-next")
    assert answer.json()["output_bytes"] == 3


def test_output_that_comes_again_changes_nothing(sender: Sender) -> None:
    first = sender.output(0, b"one\n")
    assert sender.output(0, b"one\n").json() == first.json()
    assert len(sender.stored()) == 1


def test_no_output_and_too_much_of_it_are_refused(sqlite_sender: Sender) -> None:
    assert sqlite_sender.output(0, b"").status_code == 422
    assert sqlite_sender.output(0, b"x" * (1024 * 1024 + 1)).status_code == 413
    assert sqlite_sender.output(0, b"x" * (1024 * 1024)).status_code == 200


def test_more_than_may_be_on_its_way_is_refused_at_once(
    api_with: Callable[..., AbstractContextManager[Api]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database takes nothing, what is inside stays within its bound, whatever comes."""
    limit, flood = 256 * 1024, 40
    with api_with(telemetry_bytes=limit) as api:
        sender, backend = Sender(begun(api)), api.backend
        whole = points(count=MAX_POINTS)
        admitted = limit // len(encode("columns", whole, 1, None))
        released, commit, inside = threading.Event(), backend.log._writer._commit, list[int]()

        def hold(appends: Sequence[Append]) -> Sequence[Outcome]:
            assert released.wait(30)
            inside.append(backend.gate.bytes_inside)
            return commit(appends)

        monkeypatch.setattr(backend.log._writer, "_commit", hold)
        with ThreadPoolExecutor(flood) as pool:
            answers = [pool.submit(sender.batch, 1, whole) for _ in range(flood)]
            refused = [each.result() for each in islice(as_completed(answers, 30), flood - admitted)]
            released.set()
            statuses = Counter(answer.result(30).status_code for answer in answers)
        assert {(answer.status_code, answer.headers["retry-after"]) for answer in refused} == {(429, "1")}
        assert statuses == {200: admitted, 429: flood - admitted}
        assert 0 < max(inside) <= limit and backend.gate.bytes_inside == 0
        assert len(sender.stored()) == 1


async def test_a_body_that_does_not_come_keeps_nobody_out(
    sqlite_sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "BODY_SECONDS", 0.05)
    executor, backend = sqlite_sender.executor, sqlite_sender.executor.api.backend
    path = f"/api/v1/runs/{executor.run_id}/attempts/{executor.attempt}/metrics"
    headers = {"host": "localhost", "content-type": MSGPACK, "content-length": "1000", "x-lease-epoch": "1"}
    answers: list[Any] = []

    async def receive() -> Any:
        assert backend.gate.bytes_inside > 0
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        answers.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "http_version": "1.1",
        "scheme": "http",
        "state": {},
    }
    await create_app(backend)(cast(Any, scope), cast(Any, receive), cast(Any, send))
    assert answers[0]["status"] == 400
    assert backend.gate.bytes_inside == 0


def test_a_full_queue_of_the_log_is_429(sqlite_sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "QUEUE_APPENDS", 0)
    answer = sqlite_sender.batch(1)
    assert (answer.status_code, kind_of(answer), answer.headers["retry-after"]) == (429, "store-busy", "1")
    monkeypatch.undo()
    assert sqlite_sender.batch(1).status_code == 200


def test_a_database_that_is_away_is_503(sqlite_sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite_sender.batch(1)

    def fail(appends: Sequence[Append]) -> Sequence[Outcome]:
        return [StoreUnavailable("the ledger", "away") for _ in appends]

    log = sqlite_sender.executor.api.backend.log
    with monkeypatch.context() as broken:
        broken.setattr(log._writer, "_commit", fail)
        answer = sqlite_sender.batch(2)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert sqlite_sender.batch(2).status_code == 200


MANY_KEYS = 100_000


@pytest.mark.slow
def test_a_run_may_have_a_hundred_thousand_keys(sender: Sender) -> None:
    """Through the door, the projection, the list, one curve, and what the sink reads for MLflow."""
    batches = [
        points(keys=tuple(f"neuron/{first + at:06d}" for at in range(MAX_POINTS)), count=MAX_POINTS)
        for first in range(0, MANY_KEYS, MAX_POINTS)
    ]
    for number, event in enumerate(batches, 1):
        assert sender.batch(number, event).status_code == 200
    api, run_id = sender.executor.api, sender.executor.run_id
    found, cursor = list[str](), dict[str, str]()
    while True:
        page = api.get(f"/runs/{run_id}/metrics", limit=10_000, **cursor)
        found += [each["key"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == [f"neuron/{number:06d}" for number in range(MANY_KEYS)]
    assert api.get(f"/runs/{run_id}/metrics/neuron/054321")["points"] == 1

    reader = Reader(api.backend.log, public_url="", artifact_bytes=0)
    portions = reader.portions(RunId(run_id), {1: None}, {})
    told = {point.key for portion in portions for point in portion.points}
    assert len(told) == MANY_KEYS
