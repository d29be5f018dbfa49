"""Attempts executed elsewhere over HTTP, on both databases: a whole life, the lease, what is read of them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from runledger.tracker.aggregates.registry import RUN
from runledger.tracker.blobs import digest_of
from runledger.tracker.envelope import Metadata, NewEvent
from runledger.tracker.events.telemetry import LogsRecorded, MetricsRecorded
from runledger.tracker.ids import RunId, Stream, new_id, run_stream, telemetry_stream
from runledger.tracker.store import leases
from runledger.tracker.store.engine import read
from tests.api.conftest import Api
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


# its lease


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
