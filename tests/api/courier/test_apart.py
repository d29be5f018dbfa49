"""A run that two machines have trained, one of them cut off: each curve is one training's, and true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import runledger
from runledger.api.courier import apart
from runledger.api.tracking.folders import RunFolder, SavedState, run_folders
from runledger.tracker.ids import RunId
from runledger.tracker.journal import Checkpoint
from tests.api.courier.journals import WrittenRun, ship
from tests.api.courier.test_syncing import sync
from tests.api.courier.tracker import Tracker


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runledger.api.cli.sync.RETRY_SECONDS", 0.5)


def elsewhere(run: WrittenRun, journals: Path, **described: Any) -> WrittenRun:
    """The same run on the disk of another machine."""
    other = WrittenRun(journals, **described)
    content = other.folder.file.read_bytes().replace(other.run_id.encode(), run.run_id.encode())
    path = other.folder.path.with_name(run.run_id)
    other.folder.path.rename(path)
    other.run_id, other.folder = run.run_id, RunFolder(path)
    other.folder.file.write_bytes(content)
    return other


def saved(record: Checkpoint) -> SavedState:
    return SavedState(step=record.step, digest=record.digest)


def steps(tracker: Tracker, run_id: str) -> list[int]:
    return [step for _, step, _ in tracker.world.curve(RunId(run_id))]


def first_machine(tracker: Tracker, run: WrittenRun, outcome: str = "failed") -> Checkpoint:
    """Steps 1 to 6, with a checkpoint of step 3."""
    attempt = run.attempt(resume=False)
    attempt.steps(1, 3, mark=1)
    checkpoint = attempt.checkpoint(3, mark=1)
    attempt.steps(4, 6, mark=2)
    attempt.end(outcome)
    ship(run, tracker.url)
    return checkpoint


def own_id(run: WrittenRun, number: int = 1) -> RunId:
    return RunId(apart.own_run_id(run.folder.read(), run.folder.attempt(number).read()))


def test_what_began_from_nothing_while_cut_off_is_the_next_attempt(
    tracker: Tracker, run: WrittenRun, tmp_path: Path
) -> None:
    """And says so: of what was before it, nothing counts any more."""
    first_machine(tracker, run)
    second = elsewhere(run, tmp_path / "second")
    attempt = second.attempt(resume=False, is_unasked=True)
    attempt.steps(1, 2, mark=1)
    attempt.end("failed")
    ship(second, tracker.url)
    assert steps(tracker, run.run_id) == [1, 2]
    assert tracker.world.run(run.run_id).attempts[1].resumed_from is None
    assert len(tracker.world.points(run.run_id, 1)) == 6
    assert attempt.folder.read_control().notice == ""


def test_what_went_on_from_an_earlier_state_cuts_off_what_came_after_that(
    tracker: Tracker, run: WrittenRun, tmp_path: Path
) -> None:
    point = first_machine(tracker, run)
    later = run.attempt(resumed_from=saved(point))
    later.steps(4, 9, mark=1)
    later.checkpoint(9, mark=1)
    later.end("failed")
    ship(run, tracker.url)
    second = elsewhere(run, tmp_path / "second")
    attempt = second.attempt(resumed_from=saved(point), is_unasked=True)
    attempt.steps(4, 5, mark=1)
    attempt.end("failed")
    ship(second, tracker.url)
    assert steps(tracker, run.run_id) == [1, 2, 3, 4, 5]


def test_a_run_that_is_over_by_then_keeps_its_curve(
    tracker: Tracker, run: WrittenRun, tmp_path: Path
) -> None:
    first_machine(tracker, run, "completed")
    second = elsewhere(run, tmp_path / "second")
    attempt = second.attempt(resume=False, is_unasked=True)
    attempt.steps(1, 2, mark=1)
    attempt.end("failed")
    ship(second, tracker.url)
    own = own_id(second)
    assert tracker.world.run(run.run_id).status == "completed"
    assert steps(tracker, run.run_id) == [1, 2, 3, 4, 5, 6]
    assert steps(tracker, own) == [1, 2]
    assert tracker.world.run(own).tags == {"team": "x", apart.TAG: run.run_id}
    control = attempt.folder.read_control()
    assert control.stop is None
    assert f"no attempt of run {run.run_id}" in control.notice
    assert control.notice.endswith(f"it is kept as run {own}")


def test_telling_it_once_more_makes_no_other_run(tracker: Tracker, run: WrittenRun, tmp_path: Path) -> None:
    first_machine(tracker, run, "completed")
    second = elsewhere(run, tmp_path / "second")
    attempt = second.attempt(resume=False, is_unasked=True)
    attempt.end("failed")
    ship(second, tracker.url)
    head = tracker.world.log.head()
    ship(second, tracker.url)
    attempt.folder.place.unlink()
    ship(second, tracker.url)
    assert tracker.world.log.head() == head


def test_what_follows_goes_on_with_the_run_that_was_made(
    tracker: Tracker, run: WrittenRun, tmp_path: Path
) -> None:
    first_machine(tracker, run, "completed")
    second = elsewhere(run, tmp_path / "second")
    attempt = second.attempt(resume=False, is_unasked=True)
    attempt.steps(1, 2, mark=1)
    point = attempt.checkpoint(2, mark=1, content=b"another state")
    attempt.steps(3, 5, mark=2)
    attempt.end("failed")
    ship(second, tracker.url)
    following = second.attempt(resumed_from=saved(point))
    following.steps(3, 4, mark=1)
    following.end()
    own = own_id(second)
    ship(second, tracker.url)
    assert steps(tracker, own) == [1, 2, 3, 4]
    assert tracker.world.run(own).status == "completed"
    assert not second.folder.path.exists()


def test_a_state_that_another_machine_has_left_behind_is_gone_on_from_in_a_run_of_its_own(
    tracker: Tracker, run: WrittenRun, tmp_path: Path
) -> None:
    """The second began from nothing, cut off; the first goes on from its own state."""
    point = first_machine(tracker, run)
    second = elsewhere(run, tmp_path / "second")
    attempt = second.attempt(resume=False, is_unasked=True)
    attempt.steps(1, 8, mark=1)
    attempt.checkpoint(8, mark=1)
    attempt.end("failed")
    ship(second, tracker.url)
    for last in (6, 7):
        again = run.attempt(resumed_from=saved(point))
        again.steps(4, last, mark=1)
        again.end("failed")
        ship(run, tracker.url)
    own = own_id(run, 2)
    assert steps(tracker, run.run_id) == list(range(1, 9))
    assert len(tracker.world.run(run.run_id).attempts) == 2
    assert steps(tracker, own) == [4, 5, 6, 7]
    assert len(tracker.world.run(own).attempts) == 2


@pytest.mark.parametrize("other", [{"params": {"lr": 0.2}}, {"experiment": "another"}])
def test_an_id_that_stands_for_another_run_does_not_mix_the_two(
    tracker: Tracker, run: WrittenRun, tmp_path: Path, other: dict[str, Any]
) -> None:
    first_machine(tracker, run)
    second = elsewhere(run, tmp_path / "second", **other)
    second.attempt(resume=False, is_unasked=True).end()
    own = own_id(second)
    done = sync(tracker.url, tmp_path / "second")
    assert done.exit_code == 0, done.output
    assert f"it is kept as run {own}" in done.output
    assert len(tracker.world.run(run.run_id).attempts) == 1
    assert tracker.world.run(own).status == "completed"


def test_a_run_that_was_known_and_is_over_is_refused_as_ever(
    tracker: Tracker, run: WrittenRun, tmp_path: Path
) -> None:
    first_machine(tracker, run, "completed")
    second = elsewhere(run, tmp_path / "second")
    attempt = second.attempt(resume=False)
    attempt.end("failed")
    done = sync(tracker.url, tmp_path / "second")
    assert done.exit_code == 4
    assert attempt.folder.read_control().stop == "cancel"


class TestWhoCanAsk:
    @pytest.fixture(autouse=True)
    def journals_of_another(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RUNLEDGER_JOURNALS", str(tmp_path / "another"))
        monkeypatch.setattr("runledger.api.tracking.run._start_courier", lambda *_: None)

    def test_goes_on_from_what_the_tracker_has(
        self, tracker: Tracker, run: WrittenRun, tmp_path: Path
    ) -> None:
        attempt = run.attempt(resume=False)
        attempt.steps(1, 3, mark=1)
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "step").write_text("3")
        digest, size = attempt.staging.put_folder(tmp_path / "state")
        attempt.write(Checkpoint(step=3, digest=digest, size_bytes=size, loss=None, mark=1))
        attempt.steps(4, 6, mark=2)
        attempt.end("failed")
        ship(run, tracker.url)
        tracker.project()
        with runledger.run("own", id=run.run_id, params={"lr": 0.1}, resume=True, url=tracker.url) as here:
            assert here.checkpoint_folder is not None
            assert (here.checkpoint_folder / "step").read_text() == "3"
            here.log({"loss": 4.0}, step=4)
        (folder,) = run_folders(tmp_path / "another")
        (begun,) = [each.read() for each in folder.attempts()]
        assert (begun.resumed_from, begun.is_unasked) == (SavedState(step=3, digest=digest), False)
        assert sync(tracker.url, tmp_path / "another").exit_code == 0
        assert steps(tracker, run.run_id) == [1, 2, 3, 4]

    def test_does_not_take_another_run_for_its_own(self, tracker: Tracker, run: WrittenRun) -> None:
        first_machine(tracker, run)
        tracker.project()
        with pytest.raises(runledger.Misused, match=r"is another one at .*: param 'lr' was 0\.1 and is 0\.2"):
            runledger.run("own", params={"lr": 0.2}, id=run.run_id, resume=True, url=tracker.url)

    def test_is_told_that_the_run_is_over(self, tracker: Tracker, run: WrittenRun) -> None:
        first_machine(tracker, run, "completed")
        tracker.project()
        with pytest.raises(runledger.RunOver):
            runledger.run("own", id=run.run_id, resume=True, url=tracker.url)
