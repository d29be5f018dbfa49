"""What lies in a journals folder reaches the tracker: all of it, once, and as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runledger.api.courier.door import Door
from runledger.tracker.aggregates.run import RequestCancellation
from runledger.tracker.envelope import to_micros
from runledger.tracker.errors import GaveUp
from runledger.tracker.events.run import RunAttemptLost, RunCompleted, RunFailed
from runledger.tracker.ids import run_stream
from runledger.tracker.journal import Environment, Mark, Params, Points
from runledger.tracker.store import leases
from runledger.tracker.store.engine import read
from tests.api.courier.journals import BEGAN, SECOND, Shipping, WrittenRun, point, ship
from tests.api.courier.tracker import (
    LOSE_ANSWER,
    LOSE_REQUEST,
    Asked,
    Meddler,
    Tracker,
    Verdict,
    cancel,
    lose,
)
from tests.system.installation import until

Meddle = Callable[[Callable[[Asked], Verdict]], Meddler]


def test_an_offline_run_is_told_whole_and_when_it_was(tracker_on_each: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt()
    attempt.steps(1, 3, mark=1)
    attempt.print(b"hello\n")
    attempt.checkpoint(3, mark=1)
    attempt.artifact("plot.txt", b"a plot")
    attempt.end(metrics={"loss": 3.0})
    ship(run, tracker_on_each.url)
    world = tracker_on_each.world
    assert world.tags(run.run_id) == [
        "RunRequested",
        "RunStarted",
        "RunCheckpointed",
        "RunArtifactRecorded",
        "RunCompleted",
    ]
    told = [to_micros(each.occurred_at) for each in world.log.read(run_stream(run.run_id))]
    assert told == [BEGAN, BEGAN + SECOND, BEGAN + 3 * SECOND, BEGAN + SECOND, BEGAN + 3600 * SECOND]
    assert world.curve(run.run_id) == [("loss", 1, 1.0), ("loss", 2, 2.0), ("loss", 3, 3.0)]
    assert world.output(run.run_id) == "hello\n"
    saved = world.run(run.run_id).checkpoints[0]
    assert world.blobs.read(saved.digest) == b"state 3"
    assert world.points(run.run_id, 1, saved.covers) == world.points(run.run_id, 1)


def test_what_is_asked_for_is_what_was_written_down(tracker: Tracker, journals: Path) -> None:
    run = WrittenRun(
        journals, experiment="images", name="third", params={"lr": 0.5, "net": None}, tags={"a": "b"}
    )
    run.attempt().end()
    ship(run, tracker.url)
    requested = tracker.world.run(run.run_id).requested
    assert (requested.name, requested.tags, requested.external) == ("third", {"a": "b"}, True)
    assert requested.spec.values == {"lr": 0.5, "net": None}


def test_params_and_the_environment_are_told(tracker: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt()
    diff, _ = attempt.staging.put_bytes(b"- a\n+ b\n")
    attempt.write(
        Environment(time=BEGAN, versions={"python": "3.11"}, devices=("cpu",), seed=7, code_diff_digest=diff),
        Params(time=BEGAN, params={"batch": 32}),
    )
    attempt.end()
    ship(run, tracker.url)
    told = tracker.world.run(run.run_id)
    assert told.params["batch"] == 32
    environment = told.attempts[0].environment
    assert environment is not None
    assert (environment.seed, environment.code_diff_digest) == (7, diff)
    assert tracker.world.blobs.read(diff) == b"- a\n+ b\n"


def test_shipping_once_more_changes_nothing(tracker_on_each: Tracker, run: WrittenRun) -> None:
    """Also where nothing on the disk remembers how far it was."""
    attempt = run.attempt()
    attempt.steps(1, 3, mark=1)
    attempt.checkpoint(3, mark=1)
    attempt.steps(4, 6, mark=2)
    attempt.print(b"hello\n")
    attempt.end("failed", error_class="ValueError", message="no")
    ship(run, tracker_on_each.url)
    head = tracker_on_each.world.log.head()
    attempt.folder.place.unlink()
    ship(run, tracker_on_each.url)
    assert tracker_on_each.world.log.head() == head


def test_whoever_goes_on_ships_what_is_missing(tracker: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt()
    attempt.steps(1, 3, mark=1)
    shipping = Shipping(run, tracker.url, lease_seconds=1)
    until(lambda: len(tracker.world.points(run.run_id, 1)) == 3, 20, "the first batch")
    attempt.steps(4, 6, mark=2)
    until(lambda: len(tracker.world.points(run.run_id, 1)) == 6, 20, "the second batch")
    attempt.write(point(7))
    shipping.die()
    shipping.wait()
    assert [step for _, step, _ in tracker.world.curve(run.run_id)] == list(range(1, 8))


def test_a_training_that_was_killed_is_told_lost_at_once(tracker: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt()
    attempt.steps(1, 3, mark=1)
    attempt.print(b"last words")
    shipping = Shipping(run, tracker.url)
    until(lambda: "RunStarted" in tracker.world.tags(run.run_id), 20, "the start")
    shipping.die()
    shipping.wait()
    lost, failed = tracker.world.events(run.run_id)[-2:]
    assert isinstance(lost, RunAttemptLost)
    assert isinstance(failed, RunFailed)
    assert failed.reason == "worker-lost"
    assert tracker.world.output(run.run_id) == "last words"
    assert tracker.world.log.read(run_stream(run.run_id))[-1].occurred_at.timestamp() == pytest.approx(
        attempt.folder.journal.stat().st_mtime, abs=1
    )


def test_a_killed_attempt_that_was_told_so_is_not_told_twice(
    tracker: Tracker, run: WrittenRun, meddle: Meddle
) -> None:
    """The courier is killed between the tracker's commit and its own note of it."""
    run.attempt().steps(1, 3, mark=1)
    meddler = meddle(lambda asked: LOSE_ANSWER if asked.path.endswith("/end") else None)
    with pytest.raises(GaveUp):
        ship(run, meddler.url, flush_seconds=0.5)
    told = tracker.world.tags(run.run_id)
    assert told[-2:] == ["RunAttemptLost", "RunFailed"]
    ship(run, tracker.url)
    assert tracker.world.tags(run.run_id) == told


def test_an_end_that_did_not_get_through_is_told_although_the_lease_has_expired_since(
    tracker: Tracker, run: WrittenRun, meddle: Meddle
) -> None:
    """The tracker goes away when all but the end is told, and comes back after the courier has given up."""
    attempt = run.attempt()
    attempt.steps(1, 3, mark=1)
    attempt.end()
    meddler = meddle(lambda asked: LOSE_REQUEST if asked.path.endswith("/end") else None)
    with pytest.raises(GaveUp):
        ship(run, meddler.url, flush_seconds=0.5)
    lose(tracker, run.run_id)
    ship(run, tracker.url)
    assert tracker.world.tags(run.run_id)[-2:] == ["RunAttemptReturned", "RunCompleted"]


def test_no_heartbeat_brings_back_what_is_told_lost(
    tracker: Tracker, run: WrittenRun, meddle: Meddle
) -> None:
    """The answer to the end is lost again and again, for longer than many heartbeats are apart."""
    run.attempt().steps(1, 3, mark=1)
    meddler = meddle(lambda asked: LOSE_ANSWER if asked.path.endswith("/end") and asked.count < 30 else None)
    ship(run, meddler.url, lease_seconds=1)
    assert tracker.world.tags(run.run_id) == ["RunRequested", "RunStarted", "RunAttemptLost", "RunFailed"]


def test_a_full_disk_keeps_nothing_from_the_tracker(
    tracker: Tracker, run: WrittenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runledger.api.courier.claim.write_file", refuse)
    monkeypatch.setattr("runledger.api.courier.notices.write_file", refuse)
    attempt = run.attempt()
    attempt.steps(1, 3, mark=1)
    attempt.end()
    ship(run, tracker.url)
    assert tracker.world.tags(run.run_id) == ["RunRequested", "RunStarted", "RunCompleted"]
    assert len(tracker.world.points(run.run_id, 1)) == 3


def test_attempts_are_told_in_order_and_the_killed_one_as_replaced(
    tracker_on_each: Tracker, run: WrittenRun
) -> None:
    first = run.attempt()
    first.steps(1, 3, mark=1)
    first.checkpoint(2, mark=0)
    first.steps(4, 5, mark=2)
    second = run.attempt()
    second.steps(6, 8, mark=1)
    second.end()
    ship(run, tracker_on_each.url)
    world = tracker_on_each.world
    assert world.tags(run.run_id) == [
        "RunRequested",
        "RunStarted",
        "RunCheckpointed",
        "RunAttemptLost",
        "RunRetried",
        "RunStarted",
        "RunCompleted",
    ]
    resumed = world.run(run.run_id).attempts[1].resumed_from
    assert resumed is not None
    assert resumed.step == 2
    assert [step for _, step, _ in world.curve(run.run_id)] == [6, 7, 8]


def test_an_attempt_that_began_from_nothing_resumes_from_nothing(tracker: Tracker, run: WrittenRun) -> None:
    first = run.attempt()
    first.steps(1, 3, mark=1)
    first.checkpoint(3, mark=1)
    first.end("failed", error_class="ValueError")
    second = run.attempt(resume=False)
    second.steps(1, 2, mark=1)
    second.end()
    ship(run, tracker.url)
    assert tracker.world.run(run.run_id).attempts[1].resumed_from is None
    assert [step for _, step, _ in tracker.world.curve(run.run_id)] == [1, 2]


@pytest.mark.parametrize(
    ("outcome", "last"),
    [
        ("failed", "RunFailed"),
        ("cancelled", "RunCancelled"),
        ("preempted", "RunFailed"),
        ("completed", "RunCompleted"),
    ],
)
def test_each_end_is_told_as_it_was(tracker: Tracker, run: WrittenRun, outcome: Any, last: str) -> None:
    run.attempt().end(outcome)
    ship(run, tracker.url)
    assert tracker.world.tags(run.run_id)[-1] == last


@pytest.mark.parametrize(("step", "phase"), [(-1, "preparing"), (2**63 - 1, "training")])
def test_a_step_that_is_no_count_is_told_of_its_points_alone(
    tracker: Tracker, run: WrittenRun, step: int, phase: str
) -> None:
    attempt = run.attempt()
    attempt.write(Points(step=step, time=BEGAN, values={"loss": 0.5}), Mark(number=1))
    shipping = Shipping(run, tracker.url, lease_seconds=1)
    until(lambda: phase_of(tracker, run) == phase, 20, "a heartbeat")
    attempt.end(step=step, metrics={"loss": 0.5})
    shipping.wait()
    completed = tracker.world.events(run.run_id)[-1]
    assert isinstance(completed, RunCompleted)
    assert (completed.step, completed.metrics) == (None, {"loss": 0.5})


def phase_of(tracker: Tracker, run: WrittenRun) -> str | None:
    with read(tracker.world.engine) as conn:
        lease = leases.get(conn, run_stream(run.run_id))
    return lease.phase if lease else None


def test_a_failure_is_told_with_its_last_lines(tracker: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt()
    attempt.print(b"first\nsecond\n")
    attempt.end("failed", reason="out-of-memory", error_class="MemoryError", message="too big")
    ship(run, tracker.url)
    failed = tracker.world.events(run.run_id)[-1]
    assert isinstance(failed, RunFailed)
    assert (failed.reason, failed.error_class, failed.message) == ("out-of-memory", "MemoryError", "too big")
    assert failed.last_lines == ("first", "second")


def test_what_people_ask_for_reaches_the_training(tracker: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt()
    shipping = Shipping(run, tracker.url, lease_seconds=1)
    until(lambda: "RunStarted" in tracker.world.tags(run.run_id), 20, "the start")
    cancel(tracker, run.run_id)
    until(lambda: attempt.folder.read_control().stop == "cancel", 20, "the request")
    attempt.end("stopped", step=3)
    shipping.wait()
    assert tracker.world.tags(run.run_id)[-1] == "RunCancelled"
    assert not run.folder.path.exists()


def test_the_heartbeat_tells_how_far_the_training_is(tracker: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt()
    attempt.steps(1, 41, mark=1)
    shipping = Shipping(run, tracker.url, lease_seconds=1)

    def progress() -> tuple[str | None, int | None] | None:
        with read(tracker.world.engine) as conn:
            lease = leases.get(conn, run_stream(run.run_id))
        return (lease.phase, lease.done) if lease and lease.done else None

    assert until(progress, 20, "a heartbeat") == ("training", 41)
    attempt.end()
    shipping.wait()


def test_a_lease_that_was_lost_is_taken_again(tracker: Tracker, run: WrittenRun) -> None:
    """As after the sleep of a laptop: the reconciler has told the attempt lost, and it was not."""
    attempt = run.attempt()
    attempt.steps(1, 3, mark=1)
    shipping = Shipping(run, tracker.url, lease_seconds=2)
    until(lambda: tracker.world.points(run.run_id, 1), 20, "the first batch")
    lose(tracker, run.run_id)
    until(lambda: "RunAttemptReturned" in tracker.world.tags(run.run_id), 20, "the return")
    attempt.checkpoint(3, mark=1)
    attempt.end()
    shipping.wait()
    tags = tracker.world.tags(run.run_id)
    assert tags[-3:] == ["RunAttemptReturned", "RunCheckpointed", "RunCompleted"]
    assert len(tracker.world.run(run.run_id).attempts) == 1


def test_a_training_whose_attempt_is_over_is_stopped(tracker: Tracker, run: WrittenRun) -> None:
    """It was cut off when somebody cancelled the run, until its lease had expired."""
    attempt = run.attempt()
    shipping = Shipping(run, tracker.url, lease_seconds=1)
    until(lambda: "RunStarted" in tracker.world.tags(run.run_id), 20, "the start")
    lose(tracker, run.run_id, RequestCancellation(run_id=run.run_id))
    assert tracker.world.tags(run.run_id)[-1] == "RunCancelled"
    until(lambda: attempt.folder.read_control().stop is not None, 20, "the request")
    attempt.end("stopped")
    shipping.wait()
    assert shipping.problem is None
    assert tracker.world.tags(run.run_id)[-1] == "RunCancelled"


def test_where_another_attempt_has_begun_only_telemetry_is_told(tracker: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt()
    attempt.steps(1, 3, mark=1)
    shipping = Shipping(run, tracker.url, lease_seconds=60)
    until(lambda: tracker.world.points(run.run_id, 1), 20, "the first batch")
    lose(tracker, run.run_id)
    with Door(tracker.url) as door:
        door.start(run.run_id, "another-node")
    attempt.steps(4, 5, mark=2)
    attempt.checkpoint(5, mark=2)
    attempt.end()
    shipping.wait()
    assert shipping.problem is None
    assert len(tracker.world.points(run.run_id, 1)) == 5
    assert tracker.world.run(run.run_id).checkpoints == ()
    assert tracker.world.run(run.run_id).status == "running"


def test_a_run_that_another_process_still_holds_is_waited_for(tracker: Tracker, run: WrittenRun) -> None:
    """As after a machine has died and the script is back on another before the lease has run out."""
    with Door(tracker.url) as door:
        door.request_run(experiment="own", run_id=run.run_id)
        door.start(run.run_id, "the-dead-node")
    attempt = run.attempt()
    attempt.steps(1, 3, mark=1)
    shipping = Shipping(run, tracker.url)
    until(lambda: "was started already by the-dead-node" in attempt.folder.read_control().problem, 20, "word")
    lose(tracker, run.run_id)
    until(lambda: tracker.world.points(run.run_id, 2), 20, "the second attempt")
    attempt.end()
    shipping.wait()
    assert tracker.world.tags(run.run_id)[-3:] == ["RunRetried", "RunStarted", "RunCompleted"]


def test_the_lease_is_let_go_of_with_the_end(tracker: Tracker, run: WrittenRun) -> None:
    run.attempt().end("failed")
    ship(run, tracker.url)
    with read(tracker.world.engine) as conn:
        lease = leases.get(conn, run_stream(run.run_id))
    assert lease is not None
    assert lease.holder is None
