"""`runledger sync`: whatever lies in a journals folder, sent once, with a word for each run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from runledger.api.cli import exits
from runledger.api.cli.app import runledger
from runledger.api.tracking.folders import Lock, RunFolder
from tests.api.courier.journals import WrittenRun
from tests.api.courier.tracker import Asked, Meddler, Refuse, Tracker, Verdict

Meddle = Callable[[Callable[[Asked], Verdict]], Meddler]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runledger.api.cli.sync.RETRY_SECONDS", 0.5)


def sync(url: str, journals: Path, *words: str) -> Result:
    environment = {"RUNLEDGER_URL": url, "RUNLEDGER_JOURNALS": str(journals)}
    return CliRunner().invoke(runledger, ["sync", *words], env=environment)


def report(url: str, journals: Path) -> dict[str, Any]:
    done = sync(url, journals, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def finished(journals: Path, **described: Any) -> WrittenRun:
    run = WrittenRun(journals, **described)
    attempt = run.attempt()
    attempt.steps(1, 3, mark=1)
    attempt.artifact("a.txt", b"12345")
    attempt.end()
    return run


def test_every_run_is_sent_and_said(tracker: Tracker, journals: Path) -> None:
    runs = [finished(journals), finished(journals)]
    done = sync(tracker.url, journals)
    assert done.exit_code == 0
    for run in runs:
        assert f"run {run.run_id} of own: sent: 1 attempt, 3 points" in done.output
        assert tracker.world.tags(run.run_id)[-1] == "RunCompleted"
    assert done.output.endswith("2 sent\n")
    assert sync(tracker.url, journals).output == "nothing to send\n"


def test_machines_are_told_the_same(tracker: Tracker, journals: Path) -> None:
    run = finished(journals, name="third")
    (found,) = report(tracker.url, journals)["runs"]
    assert (found["run_id"], found["name"], found["outcome"]) == (run.run_id, "third", "sent")
    assert found["sent"]["points"] == 3
    assert found["sent"]["facts"] == 1


def test_nothing_is_sent_twice(tracker: Tracker, journals: Path) -> None:
    """A run that may go on stays on the disk, and is told already."""
    run = WrittenRun(journals)
    run.attempt().end("failed")
    sync(tracker.url, journals)
    head = tracker.world.log.head()
    assert report(tracker.url, journals)["runs"][0]["outcome"] == "told already"
    assert tracker.world.log.head() == head


def test_a_run_that_its_courier_removes_meanwhile_is_told(
    tracker: Tracker, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(journals)
    gone = RunFolder(journals / ("0" * 32))
    monkeypatch.setattr("runledger.api.cli.sync.runs_to_sync", lambda folder: [gone, run.folder])
    done = sync(tracker.url, journals)
    assert done.exit_code == 0, done.output
    assert done.output.endswith("1 sent\n")


def test_the_folder_of_one_run_is_enough(tracker: Tracker, journals: Path) -> None:
    runs = [finished(journals), finished(journals)]
    done = sync(tracker.url, journals, str(runs[1].folder.path))
    assert done.exit_code == 0
    assert tracker.world.tags(runs[0].run_id) == []
    assert tracker.world.tags(runs[1].run_id)[-1] == "RunCompleted"


@pytest.mark.parametrize(("lock", "outcome"), [("lock", "training"), ("courier_lock", "shipping")])
def test_what_somebody_else_is_at_is_left_alone(
    tracker: Tracker, journals: Path, lock: str, outcome: str
) -> None:
    run = finished(journals)
    held = Lock(getattr(run.folder, lock))
    assert held.acquire()
    assert report(tracker.url, journals)["runs"][0]["outcome"] == outcome
    assert tracker.world.tags(run.run_id) == []
    held.release()
    assert report(tracker.url, journals)["runs"][0]["outcome"] == "sent"


def test_a_run_that_is_refused_is_named_and_the_rest_goes_on(tracker: Tracker, journals: Path) -> None:
    refused = finished(journals, experiment="")
    other = finished(journals)
    done = sync(tracker.url, journals)
    assert done.exit_code == exits.REFUSED
    assert f"run {refused.run_id} of : refused: $.meant.experiment" in done.output
    assert f"not all was taken: run {refused.run_id}" in done.output
    assert tracker.world.tags(other.run_id)[-1] == "RunCompleted"
    assert refused.folder.path.exists()


def test_what_is_refused_of_a_run_is_pointed_at(tracker: Tracker, journals: Path) -> None:
    run = WrittenRun(journals)
    attempt = run.attempt()
    attempt.artifact("../escape", b"12345")
    attempt.end()
    done = sync(tracker.url, journals)
    assert done.exit_code == exits.REFUSED
    assert str(attempt.folder.path / "refused.jsonl") in done.output
    assert tracker.world.tags(run.run_id)[-1] == "RunCompleted"


def test_a_tracker_that_does_not_answer_ends_it(journals: Path) -> None:
    run = finished(journals)
    done = sync("http://127.0.0.1:1", journals)
    assert done.exit_code == exits.NOT_REACHABLE
    assert f"run {run.run_id} of own: not sent: http://127.0.0.1:1" in done.output
    assert run.folder.path.exists()


def test_a_token_that_is_missing_ends_it(tracker: Tracker, journals: Path, meddle: Meddle) -> None:
    finished(journals)
    denial = Refuse(401, b'{"type": "urn:runledger:problem:unauthorized", "detail": "no token"}')
    done = sync(meddle(lambda asked: denial).url, journals)
    assert done.exit_code == exits.REFUSED
    assert "no token" in done.output


def test_an_address_that_is_none_is_bad_usage(journals: Path) -> None:
    finished(journals)
    assert sync("nowhere", journals).exit_code == exits.BAD_USAGE


def test_a_folder_without_runs_is_no_problem(tracker: Tracker, journals: Path) -> None:
    assert sync(tracker.url, journals).output == "nothing to send\n"


def test_a_run_that_cannot_be_read_is_named_and_the_rest_goes_on(tracker: Tracker, journals: Path) -> None:
    damaged = {
        "run.json": [finished(journals), finished(journals)],
        "1/attempt.json": [finished(journals)],
    }
    other = finished(journals)
    for name, runs in damaged.items():
        for run in runs:
            (run.folder.path / name).write_bytes(b'{"run_id": "\xff')
    gone, copied = finished(journals), finished(journals)
    gone.folder.file.unlink()
    copied.folder.path.rename(journals / f"{copied.run_id} - Copy")
    done = sync(tracker.url, journals)
    assert done.exit_code == exits.SETUP_PROBLEM
    for name, runs in damaged.items():
        for run in runs:
            assert f"run {run.run_id}: skipped: {run.folder.path / name}: " in done.output
    assert f"{gone.folder.file}: is missing" in done.output
    assert f"{copied.run_id} - Copy/run.json: belongs to run {copied.run_id}" in done.output
    assert "not all could be read: run" in done.output
    assert tracker.world.tags(other.run_id)[-1] == "RunCompleted"


def test_hints_that_are_damaged_are_as_good_as_none(tracker: Tracker, journals: Path) -> None:
    run = WrittenRun(journals)
    attempt = run.attempt()
    attempt.steps(1, 3, mark=1)
    attempt.end("failed")
    sync(tracker.url, journals)
    head = tracker.world.log.head()
    attempt.folder.place.write_text("{")
    attempt.folder.control.write_text("[]")
    assert report(tracker.url, journals)["runs"][0]["outcome"] == "sent"
    assert tracker.world.log.head() == head
    assert report(tracker.url, journals)["runs"][0]["outcome"] == "told already"


def test_what_a_killed_courier_had_begun_to_remove_is_removed(tracker: Tracker, journals: Path) -> None:
    run = finished(journals)
    hidden = run.folder.path.rename(journals / f".{run.run_id}")
    other = journals / ".git"
    other.mkdir()
    assert sync(tracker.url, journals).output == "nothing to send\n"
    assert not hidden.exists()
    assert other.exists()
