"""What a tracker does not take is set aside with the reason, and the rest goes on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from runledger.api.courier.door import TIMES, moment
from runledger.api.courier.errors import RefusedFact
from runledger.tracker.journal import Ended, Mark, Params, Points, encode_frame
from tests.api.courier.journals import Shipping, WrittenRun, point, ship
from tests.api.courier.tracker import Tracker, cancel
from tests.system.installation import until


def test_what_the_tracker_refuses_is_set_aside_and_the_rest_goes_on(
    tracker: Tracker, run: WrittenRun
) -> None:
    attempt = run.attempt()
    attempt.artifact("../escape", b"file")
    attempt.steps(1, 3, mark=1)
    attempt.checkpoint(3, mark=1)
    attempt.end()
    tally = ship(run, tracker.url)
    assert tracker.world.tags(run.run_id)[-2:] == ["RunCheckpointed", "RunCompleted"]
    kept = (attempt.folder.path / "refused.jsonl").read_text()
    assert "../escape" in kept
    assert tally.set_aside == 1
    assert b"file" in attempt.staged()


def test_a_batch_that_is_refused_closes_up(tracker: Tracker, run: WrittenRun) -> None:
    """Those after it take its number, also for a courier that knows no more than the disk does."""
    attempt = run.attempt()
    attempt.steps(1, 2, mark=1)
    attempt.write(point(3, key="k" * 300), Mark(number=2))
    attempt.steps(4, 5, mark=3)
    attempt.checkpoint(5, mark=3)
    attempt.end("failed")
    ship(run, tracker.url)
    head = tracker.world.log.head()
    attempt.folder.place.unlink()
    ship(run, tracker.url)
    assert tracker.world.log.head() == head
    assert [step for _, step, _ in tracker.world.curve(run.run_id)] == [1, 2, 4, 5]
    saved = tracker.world.run(run.run_id).checkpoints[0]
    assert len(tracker.world.points(run.run_id, 1, saved.covers)) == 4
    assert len((attempt.folder.path / "refused.jsonl").read_text().splitlines()) == 1


def test_a_damaged_mark_costs_no_batch(tracker: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt()
    attempt.steps(1, 2, mark=1)
    attempt.write(point(3))
    with attempt.folder.journal.open("ab") as file:
        file.write(encode_frame(Mark(number=2))[:-1] + b"\xff")
    attempt.steps(4, 5, mark=3)
    attempt.checkpoint(5, mark=3)
    attempt.end("failed")
    ship(run, tracker.url)
    assert [step for _, step, _ in tracker.world.curve(run.run_id)] == [1, 2, 3, 4, 5]
    saved = tracker.world.run(run.run_id).checkpoints[0]
    assert len(tracker.world.points(run.run_id, 1, saved.covers)) == 5


def test_an_end_that_is_refused_is_told_bare(tracker: Tracker, run: WrittenRun) -> None:
    run.attempt().end(metrics={"k" * 300: 1.0})
    ship(run, tracker.url)
    assert tracker.world.tags(run.run_id)[-1] == "RunCompleted"


def test_a_run_that_is_refused_is_told_to_its_training(tracker: Tracker, journals: Path) -> None:
    run = WrittenRun(journals, experiment="")
    attempt = run.attempt()
    attempt.end()
    with pytest.raises(RefusedFact):
        ship(run, tracker.url)
    assert "does not take the run" in attempt.folder.read_control().problem


def test_a_training_goes_not_on_in_vain(tracker: Tracker, run: WrittenRun) -> None:
    """The attempt before was killed after somebody had asked to cancel the run."""
    run.attempt()
    first = Shipping(run, tracker.url)
    until(lambda: "RunStarted" in tracker.world.tags(run.run_id), 20, "the start")
    cancel(tracker, run.run_id)
    second = run.attempt()
    first.die()
    first.wait()
    assert tracker.world.run(run.run_id).status == "cancelled"
    with pytest.raises(RefusedFact):
        ship(run, tracker.url)
    assert second.folder.read_control().stop == "cancel"


@pytest.mark.parametrize("name", ["a\nb", "C:/x", " ", "日本"])
def test_an_odd_name_of_an_artifact_is_kept_or_set_aside_and_stops_nothing(
    tracker: Tracker, run: WrittenRun, name: str
) -> None:
    attempt = run.attempt()
    attempt.artifact(name, name.encode())
    attempt.end()
    ship(run, tracker.url)
    told = tracker.world.tags(run.run_id)
    assert told[-1] == "RunCompleted"
    assert ("RunArtifactRecorded" in told) is not attempt.folder.refused.exists()


@pytest.mark.parametrize("time", [-(2**63), -5, 2**62])
def test_a_clock_that_is_far_off_stops_nothing(tracker: Tracker, run: WrittenRun, time: int) -> None:
    attempt = run.attempt()
    attempt.write(Points(step=1, time=time, values={"loss": 1.0}), Mark(number=1))
    attempt.steps(2, 3, mark=2)
    attempt.end()
    ship(run, tracker.url)
    assert tracker.world.tags(run.run_id)[-1] == "RunCompleted"
    steps = [step for _, step, _ in tracker.world.curve(run.run_id)]
    assert steps == ([2, 3] if attempt.folder.refused.exists() else [1, 2, 3])


@pytest.mark.parametrize("created_at", [-1, 0, 2**60])
def test_a_machine_that_does_not_know_the_time_can_tell_its_run(
    tracker: Tracker, journals: Path, created_at: int
) -> None:
    run = WrittenRun(journals, created_at=created_at)
    run.attempt().end()
    ship(run, tracker.url)
    assert tracker.world.tags(run.run_id)[-1] == "RunCompleted"


def test_a_clock_that_is_far_off_sets_no_fact_aside(tracker: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt()
    attempt.write(Params(time=2**61, params={"layers": 2}), Ended(time=-1, outcome="completed", step=3))
    ship(run, tracker.url)
    assert tracker.world.tags(run.run_id)[-2:] == ["RunParamsRecorded", "RunCompleted"]
    last = TIMES[-1]
    assert moment(last) == datetime(2199, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert moment(last + 1) is None
