"""What stays on the disk of a machine that trains, and what a courier needs of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runledger.tracker.errors import GaveUp
from runledger.tracker.ids import telemetry_stream
from runledger.tracker.journal import Ended, encode_frame
from tests.api.courier.journals import WrittenRun, ship
from tests.api.courier.tracker import Asked, Meddler, Refuse, Tracker, Verdict

Meddle = Callable[[Callable[[Asked], Verdict]], Meddler]


def test_a_run_that_is_over_is_removed(tracker: Tracker, run: WrittenRun) -> None:
    run.attempt().end()
    ship(run, tracker.url)
    assert not run.folder.path.exists()


def test_a_run_that_may_go_on_keeps_its_last_checkpoint_alone(tracker: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt()
    for step in (1, 2, 3):
        attempt.steps(step, step, mark=step)
        attempt.checkpoint(step, mark=step)
    attempt.artifact("a.txt", b"an artifact")
    attempt.end("failed")
    ship(run, tracker.url)
    assert attempt.staged() == [b"state 3"]
    place = attempt.folder.read_place()
    assert place is not None
    assert place.is_told


def test_a_blob_that_the_tracker_has_is_not_sent_again(
    tracker: Tracker, run: WrittenRun, meddle: Meddle
) -> None:
    tracker.world.blobs.put_bytes(b"an artifact")
    attempt = run.attempt()
    attempt.artifact("a.txt", b"an artifact")
    attempt.artifact("b.txt", b"an artifact")
    attempt.end()
    meddler = meddle(lambda asked: None)
    ship(run, meddler.url)
    assert not any(asked.method == "PUT" for asked in meddler.asked)
    assert tracker.world.tags(run.run_id)[-3:] == ["RunArtifactRecorded"] * 2 + ["RunCompleted"]


def test_a_torn_tail_is_left_out(tracker: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt()
    attempt.steps(1, 2, mark=1)
    with attempt.folder.journal.open("ab") as file:
        file.write(encode_frame(Ended(outcome="completed"))[:-3])
    ship(run, tracker.url)
    assert tracker.world.tags(run.run_id)[-2:] == ["RunAttemptLost", "RunFailed"]
    assert len(tracker.world.log.read(telemetry_stream(run.run_id, 1))) == 1


def test_a_checkpoint_far_behind_finds_what_it_covers(
    tracker: Tracker, run: WrittenRun, meddle: Meddle
) -> None:
    """A courier that starts anew does not know where the batches lie that an earlier one has sent."""
    attempt = run.attempt()
    for mark in range(1, 41):
        attempt.steps(mark, mark, mark=mark)
    attempt.checkpoint(3, mark=3)
    attempt.end()
    refuse = Refuse(503)
    meddler = meddle(lambda asked: refuse if asked.path.endswith("/checkpoints") else None)
    with pytest.raises(GaveUp):
        ship(run, meddler.url, flush_seconds=0.5)
    ship(run, tracker.url)
    saved = tracker.world.run(run.run_id).checkpoints[0]
    assert [step for _, step, _ in tracker.world.points(run.run_id, 1, saved.covers)] == [1, 2, 3]
