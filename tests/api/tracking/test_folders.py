"""The folders of runs: what is read back, in which order, and who holds a lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from runledger.api.tracking.folders import (
    AttemptFile,
    ControlFile,
    Lock,
    PlaceFile,
    RunFile,
    RunFolder,
    is_locked,
    run_folders,
    write_file,
)


def begin(journals: Path, run_id: str, created_at: int) -> RunFolder:
    folder = RunFolder(journals / run_id)
    folder.path.mkdir(parents=True)
    write_file(folder.file, RunFile(run_id=run_id, experiment="e", created_at=created_at))
    return folder


def test_runs_are_listed_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    begin(tmp_path, "a" * 32, 2)
    begin(tmp_path, "b" * 32, 1)
    (tmp_path / "no run").mkdir()
    begin(tmp_path, ".removed", 3)

    assert [folder.run_id[0] for folder in run_folders(tmp_path)] == ["b", "a"]
    assert run_folders(tmp_path / "nowhere") == []


def test_attempts_are_listed_by_number_and_half_made_ones_are_left_out(tmp_path: Path) -> None:
    run = begin(tmp_path, "a" * 32, 1)
    for number in (10, 2, 3):
        run.attempt(number).path.mkdir()
    for number in (10, 2):
        told = AttemptFile(number=number, worker="w", resume=True, started_at=1, pid=1)
        write_file(run.attempt(number).file, told)

    assert [attempt.number for attempt in run.attempts()] == [2, 10]
    assert run.attempts()[0].read().worker == "w"


def test_files_of_whoever_ships_may_be_missing(tmp_path: Path) -> None:
    run = begin(tmp_path, "a" * 32, 1)
    run.attempt(1).path.mkdir()
    assert run.attempt(1).read_place() is None
    assert run.attempt(1).read_control() == ControlFile()

    write_file(run.attempt(1).place, PlaceFile(attempt=4, epoch=2))
    write_file(run.attempt(1).control, ControlFile(stop="pause", state="online"))
    assert run.attempt(1).read_place() == PlaceFile(attempt=4, epoch=2, is_told=False)
    assert run.attempt(1).read_control().stop == "pause"
    assert sorted(path.name for path in run.attempt(1).path.iterdir()) == ["control.json", "place.json"]


def test_a_lock_has_one_holder_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    first, second = Lock(path), Lock(path)
    assert first.acquire()
    assert not second.acquire()
    assert is_locked(path)

    first.release()
    assert second.acquire()
    second.release()
    assert not is_locked(path)


def test_the_lock_of_a_removed_run_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"

    def flock(file: int, operation: int) -> None:
        path.unlink()

    monkeypatch.setattr("runledger.api.tracking.folders.fcntl.flock", flock)
    with pytest.raises(FileNotFoundError):
        Lock(path).acquire()
