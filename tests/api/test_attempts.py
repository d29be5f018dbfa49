"""Attempts executed elsewhere: taken up, told and ended over HTTP, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from runledger.tracker.aggregates.registry import RUN
from runledger.tracker.blobs import digest_of
from runledger.tracker.envelope import Metadata, NewEvent
from runledger.tracker.events.telemetry import LogsRecorded, MetricsRecorded
from runledger.tracker.ids import RunId, Stream, new_id, run_stream, telemetry_stream
from runledger.tracker.store import leases
from runledger.tracker.store.engine import read, write
from tests.api.conftest import HELDOUT, Api
from tests.api.elsewhere import Executor, begun, kind_of

# a life


def test_a_whole_life_over_http(api_on_each: Api) -> None:
    """Executed, silent for too long, back, and completed: one attempt, and every fact of it once."""
    executor = begun(api_on_each)
    executor.good("environment", versions={"python": "3.11"}, devices=["cpu x86"], seed=3)
    executor.good("params", params={"parameters": 42})
    assert executor.checkpoint(5, b"state", loss=0.5).status_code == 200
    executor.fall_silent()
    lost = executor.show()
    assert (lost["status"], lost["failure"]["reason"]) == ("failed", "worker-lost")
    assert (lost["attempts"][0]["ending"], executor.is_held()) == ("lost", False)

    assert kind_of(executor.tell("heartbeat")) == "lease-lost"
    returned = executor.start()
    assert (returned["attempt"], returned["epoch"], returned["status"]) == (1, 3, "running")
    plot = executor.put(b"<svg/>")
    executor.good("artifacts", path="plots/loss.svg", digest=plot, size_bytes=6, media_type="image/svg+xml")
    assert executor.checkpoint(9, b"more").status_code == 200
    executor.good("end", outcome="completed", step=9, metrics={"loss": 0.25, "gap": "NaN"})

    run = executor.show()
    assert (run["status"], run["step"], run["final_metrics"]) == (
        "completed",
        9,
        {"loss": 0.25, "gap": "NaN"},
    )
    assert (len(run["attempts"]), run["attempts"][0]["ending"]) == (1, "completed")
    assert run["params"] == {"rate": 0.1, "parameters": 42}
    assert [each["step"] for each in api_on_each.get(f"/runs/{executor.run_id}/checkpoints")["items"]] == [
        5,
        9,
    ]
    (artifact,) = api_on_each.get(f"/runs/{executor.run_id}/artifacts")["items"]
    assert (artifact["path"], artifact["digest"]) == ("plots/loss.svg", plot)
    assert executor.tags() == [
        *("RunRequested", "RunStarted", "RunEnvironmentRecorded", "RunParamsRecorded", "RunCheckpointed"),
        *("RunAttemptLost", "RunFailed", "RunAttemptReturned"),
        *("RunArtifactRecorded", "RunCheckpointed", "RunCompleted"),
    ]
    assert not executor.is_held()


def test_facts_are_told_by_the_holder_of_the_token(api: Api) -> None:
    executor = begun(api)
    recorded = api.backend.log.read(run_stream(RunId(executor.run_id)))
    assert {each.actor for each in recorded} == {"api:local"}


def test_a_run_that_is_told_later_shows_when_it_was(api_on_each: Api) -> None:
    """Read on in between, so that it is not all folded at once."""

    def at(hour: int) -> str:
        return f"2026-02-03T{hour:02}:00:00Z"

    executor = Executor(api_on_each)
    executor.request(occurred_at=at(1))
    api_on_each.catch_up()
    executor.start(occurred_at=at(2))
    executor.checkpoint(5, b"state", occurred_at=at(3))
    api_on_each.catch_up()
    executor.good("end", outcome="completed", occurred_at=at(4))
    run = executor.show()
    assert [run[name] for name in ("requested_at", "started_at", "ended_at")] == [at(1), at(2), at(4)]
    (attempt,) = run["attempts"]
    assert [attempt[name] for name in ("started_at", "ended_at")] == [at(2), at(4)]
    (checkpoint,) = api_on_each.get(f"/runs/{executor.run_id}/checkpoints")["items"]
    assert checkpoint["saved_at"] == at(3)
    assert run["updated_at"] > at(4)


def test_a_return_happens_when_it_is_told(api: Api) -> None:
    """The same request starts an attempt and brings it back: its time is that of the start."""
    executor = Executor(api)
    executor.request()
    executor.start(occurred_at="2026-02-03T04:05:06Z")
    executor.fall_silent()
    executor.start(occurred_at="2026-02-03T04:05:06Z")
    recorded = {each.type: each for each in api.backend.log.read(run_stream(RunId(executor.run_id)))}
    assert recorded["RunStarted"].occurred_at.isoformat() == "2026-02-03T04:05:06+00:00"
    assert recorded["RunAttemptReturned"].occurred_at > recorded["RunAttemptLost"].occurred_at


def test_what_is_told_later_bears_its_own_time(api: Api) -> None:
    executor = begun(api)
    executor.good("params", params={"a": 1}, occurred_at="2026-02-03T04:05:06Z")
    executor.good("end", outcome="completed", occurred_at="2026-02-03T05:00:00Z")
    *_, params, end = api.backend.log.read(run_stream(RunId(executor.run_id)))
    assert params.occurred_at.isoformat() == "2026-02-03T04:05:06+00:00"
    assert end.occurred_at.isoformat() == "2026-02-03T05:00:00+00:00"


# taking it up


def test_the_same_worker_gets_its_attempt_again_with_its_lease_renewed(api_on_each: Api) -> None:
    executor = begun(api_on_each)
    head = api_on_each.backend.log.head()
    again = executor.ask(lease_seconds=120)
    assert (again.status_code, again.json()["attempt"], again.json()["epoch"]) == (200, 1, 1)
    assert again.json()["lease_seconds"] == 120
    assert api_on_each.backend.log.head() == head


def test_another_worker_does_not_get_in_while_one_executes(api_on_each: Api) -> None:
    executor = begun(api_on_each)
    other = Executor(api_on_each, executor.run_id, worker="node-2").ask()
    assert (other.status_code, kind_of(other)) == (409, "attempt-already-started")
    assert "by node-1" in other.json()["detail"]


def test_of_two_that_race_one_executes(api_on_each: Api) -> None:
    first = Executor(api_on_each)
    first.request()
    racers = [first, *(Executor(api_on_each, first.run_id, worker=f"racer-{n}") for n in range(3))]
    together = threading.Barrier(len(racers))

    def ask(racer: Executor) -> int:
        together.wait(10)
        return racer.ask().status_code

    with ThreadPoolExecutor(len(racers)) as pool:
        statuses = sorted(pool.map(ask, racers))
    assert statuses == [201, 409, 409, 409]
    assert first.tags() == ["RunRequested", "RunStarted"]


def test_the_same_worker_racing_with_itself_gets_one_attempt(api_on_each: Api) -> None:
    first = begun(api_on_each)
    first.fall_silent()
    racers = [first, *(Executor(api_on_each, first.run_id) for _ in range(3))]
    together = threading.Barrier(len(racers))

    def ask(racer: Executor) -> tuple[int, int]:
        together.wait(10)
        answer = racer.ask()
        return answer.status_code, answer.json()["epoch"]

    with ThreadPoolExecutor(len(racers)) as pool:
        answers = set(pool.map(ask, racers))
    assert answers == {(200, 3)}
    assert first.tags().count("RunAttemptReturned") == 1


def test_the_next_attempt_goes_on_from_the_last_checkpoint(api_on_each: Api) -> None:
    executor = begun(api_on_each)
    executor.checkpoint(5, b"state")
    executor.good("end", outcome="preempted", signal="SIGTERM")
    run = executor.show()
    assert (run["status"], run["failure"]["message"]) == ("failed", "ended by SIGTERM")
    following = Executor(api_on_each, executor.run_id, worker="node-2")
    answer = following.start()
    assert (answer["attempt"], answer["epoch"], answer["status"]) == (2, 2, "running")
    assert (answer["resumed_from"]["attempt"], answer["resumed_from"]["step"]) == (1, 5)
    assert following.tags()[-2:] == ["RunRetried", "RunStarted"]


def test_the_next_attempt_may_start_from_nothing(api: Api) -> None:
    executor = begun(api)
    executor.checkpoint(5, b"state")
    executor.good("end", outcome="failed")
    following = Executor(api, executor.run_id, worker="node-2")
    assert following.start(resume=False)["resumed_from"] is None


def test_an_attempt_that_has_begun_already_says_what_it_went_on_from(api: Api) -> None:
    """It was cut off. Of what came after, nothing counts; what the run did not come to is no beginning."""
    executor = begun(api)
    executor.checkpoint(5, b"state 5")
    executor.checkpoint(9, b"state 9")
    executor.good("end", outcome="failed")
    following = Executor(api, executor.run_id, worker="node-2")
    refused = following.ask(resumed_from={"step": 5, "digest": digest_of(b"another")})
    assert (refused.status_code, kind_of(refused)) == (409, "checkpoint-not-on-line")
    assert executor.show()["status"] == "failed"
    first = {"step": 5, "digest": digest_of(b"state 5")}
    assert following.start(resumed_from=first)["resumed_from"] == {"attempt": 1, **first}
    following.good("end", outcome="failed")
    assert Executor(api, executor.run_id, worker="node-3").start()["resumed_from"]["step"] == 5


@pytest.mark.parametrize(
    ("meant", "is_it"),
    [
        ({"experiment": "own"}, True),
        ({"experiment": "own", "params": {"rate": 0.1, "only": "here"}}, True),
        ({"experiment": "another"}, False),
        ({"experiment": "own", "params": {"rate": 0.2}}, False),
    ],
)
def test_an_attempt_of_another_run_than_was_meant_is_refused(
    api: Api, meant: dict[str, Any], is_it: bool
) -> None:
    executor = Executor(api)
    executor.request()
    answer = executor.ask(meant=meant)
    assert answer.status_code == (201 if is_it else 409)
    assert is_it or kind_of(answer) == "run-is-another"


def test_a_killed_attempt_whose_script_is_back_is_followed_at_once(api: Api) -> None:
    executor = begun(api)
    executor.good("end", outcome="lost", replaced=True)
    assert executor.show()["status"] == "queued"
    following = Executor(api, executor.run_id, worker="node-2")
    assert following.start()["attempt"] == 2
    assert "RunFailed" not in following.tags()


def test_an_attempt_that_is_over_answers_how_it_ended(api_on_each: Api) -> None:
    executor = begun(api_on_each)
    executor.good("end", outcome="failed", error_class="ValueError", message="no", last_lines=["a", "b"])
    answer = executor.ask()
    assert answer.status_code == 200
    assert (answer.json()["outcome"], answer.json()["epoch"]) == ("failed", 0)
    failure = executor.show()["failure"]
    assert (failure["error_class"], failure["last_lines"]) == ("ValueError", ["a", "b"])


def test_a_lost_attempt_that_was_overtaken_does_not_return(api: Api) -> None:
    executor = begun(api)
    executor.fall_silent()
    Executor(api, executor.run_id, worker="node-2").start()
    for part, body in (
        ("heartbeat", {}),
        ("params", {"params": {"a": 1}}),
        ("end", {"outcome": "completed"}),
    ):
        assert kind_of(executor.tell(part, epoch=1, **body)) == "attempt-ended"
    answer = executor.start()
    assert (answer["outcome"], answer["epoch"], answer["status"]) == ("lost", 0, "running")


@pytest.mark.parametrize("outcome", ["completed", "cancelled"])
def test_nothing_starts_after_the_end(api: Api, outcome: str) -> None:
    executor = begun(api)
    executor.good("end", outcome=outcome)
    refused = Executor(api, executor.run_id, worker="node-2").ask()
    assert (refused.status_code, kind_of(refused)) == (409, "run-already-ended")


def test_a_lease_that_is_held_is_not_taken_whatever_the_run_says(api_on_each: Api) -> None:
    executor = Executor(api_on_each)
    executor.request()
    with write(api_on_each.backend.ledger) as conn:
        assert leases.claim(conn, run_stream(RunId(executor.run_id)), 1, "somebody", 60.0) == 1
    refused = executor.ask()
    assert (refused.status_code, kind_of(refused)) == (409, "lease-held")
    assert executor.tags() == ["RunRequested"]


def test_our_own_runs_are_not_executed_elsewhere(api: Api) -> None:
    executor = Executor(api, api.launch())
    assert kind_of(executor.ask()) == "run-not-external"
    executor.attempt, executor.epoch = 1, 1
    assert kind_of(executor.tell("heartbeat")) == "run-not-external"
    assert kind_of(executor.tell("params", params={"a": 1})) == "run-not-external"


# the lease


def test_a_heartbeat_renews_for_as_long_as_was_asked_for_and_tells_how_far_it_is(api_on_each: Api) -> None:
    executor = Executor(api_on_each)
    executor.request()
    executor.start(lease_seconds=77)
    stream = run_stream(RunId(executor.run_id))
    with read(api_on_each.backend.ledger) as conn:
        before = leases.get(conn, stream)
    for _ in range(3):
        answer = executor.good("heartbeat", phase="training", done=5, total=9)
    assert answer == {"stop": None, "lease_seconds": 77}
    with read(api_on_each.backend.ledger) as conn:
        after = leases.get(conn, stream)
    assert before is not None and after is not None
    assert after.renewed_at > before.renewed_at
    progress = executor.show()["progress"]
    assert (progress["phase"], progress["done"], progress["total"]) == ("training", 5, 9)


@pytest.mark.parametrize(
    ("asked", "stop", "ends"), [("pause", "pause", "paused"), ("cancel", "cancel", "cancelled")]
)
def test_what_people_ask_comes_back_with_the_heartbeat(
    api_on_each: Api, asked: str, stop: str, ends: str
) -> None:
    executor = begun(api_on_each)
    assert api_on_each.client.post(f"/api/v1/runs/{executor.run_id}/{asked}").status_code == 200
    assert executor.good("heartbeat")["stop"] == stop
    assert executor.checkpoint(7, b"state").status_code == 200
    executor.good("end", outcome="stopped", step=7)
    run = executor.show()
    assert (run["status"], run["step"]) == (ends, 7)
    assert run["attempts"][0]["ending"] == ends
    assert not executor.is_held()


def test_a_cancellation_overtakes_a_pause_that_was_asked_for_before(api: Api) -> None:
    executor = begun(api)
    api.client.post(f"/api/v1/runs/{executor.run_id}/pause")
    assert executor.good("heartbeat")["stop"] == "pause"
    api.client.post(f"/api/v1/runs/{executor.run_id}/cancel")
    executor.good("end", outcome="stopped")
    assert executor.show()["status"] == "cancelled"


def test_a_pause_that_was_asked_for_while_the_attempt_was_lost_is_told_when_it_returns(api: Api) -> None:
    executor = begun(api)
    api.client.post(f"/api/v1/runs/{executor.run_id}/pause")
    executor.fall_silent()
    assert executor.show()["status"] == "paused"
    assert executor.start()["status"] == "pausing"
    assert executor.good("heartbeat")["stop"] == "pause"


def test_a_stop_that_nobody_asked_for_is_refused(api: Api) -> None:
    executor = begun(api)
    refused = executor.tell("end", outcome="stopped")
    assert (refused.status_code, kind_of(refused)) == (409, "stop-not-requested")
    assert executor.is_held()


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


# once, however often


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


# what is named must be there


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


# reading it


def test_an_attempt_shows_its_lease_and_what_the_log_has_of_its_telemetry(api_on_each: Api) -> None:
    executor = begun(api_on_each)
    path = f"/runs/{executor.run_id}/attempts/1"
    shown = api_on_each.get(path)
    assert (shown["epoch"], shown["lease_seconds"], shown["outcome"]) == (1, 30, None)
    assert shown["telemetry"] == {"version": 0, "batches": 0, "output_bytes": 0}
    executor.fall_silent()
    assert [api_on_each.get(path)[name] for name in ("epoch", "lease_seconds", "outcome")] == [0, 0, "lost"]
    assert api_on_each.client.get(f"/api/v1/runs/{executor.run_id}/attempts/2").status_code == 404
    assert api_on_each.client.get(f"/api/v1/runs/{new_id()}/attempts/1").status_code == 404


def test_telemetry_that_an_attempt_has_told_is_counted(api_on_each: Api) -> None:
    executor = begun(api_on_each)
    stream = telemetry_stream(RunId(executor.run_id), 1)
    tell_telemetry(api_on_each, stream, "MMLML")
    assert executor.start()["telemetry"] == {"version": 5, "batches": 3, "output_bytes": 20}
    covers = {"version": 5, "offset": 1}
    assert executor.checkpoint(1, b"state", covers=covers).status_code == 200
    saved = api_on_each.backend.dispatcher.load(RUN, executor.run_id).checkpoints[0]
    assert (saved.covers.version, saved.covers.offset) == (5, 1)


def tell_telemetry(api: Api, stream: str, kinds: str) -> None:
    """M is a batch of one point, L ten bytes of output."""
    output = 0
    for version, kind in enumerate(kinds):
        event: MetricsRecorded | LogsRecorded
        if kind == "M":
            event = MetricsRecorded(
                keys=("a",), key_index=bytes(2), step=bytes(8), time=bytes(8), value=bytes(8)
            )
        else:
            event = LogsRecorded(start=output, size_bytes=10, digest=digest_of(b"0123456789"))
            output += 10
        new = NewEvent(
            event_id=uuid4(), event=event, occurred_at=datetime.now(UTC), metadata=Metadata(actor="test")
        )
        api.backend.dispatcher.record(Stream(stream), version, [new])
