"""A journal on a disk that fills up, and has room again."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runledger.tracker import journal_writer
from runledger.tracker.errors import JournalBroken
from runledger.tracker.journal import Gap, Mark, Points, Progress
from runledger.tracker.journal_writer import Journal
from tests.tracker.test_journal import RUN, records_of


class Disk:
    """Takes `room` bytes in the place of `os.write`, then refuses as a full disk does."""

    def __init__(self, problem: int = errno.ENOSPC) -> None:
        self.room = 1 << 40
        self._problem = problem
        self._write = os.write

    def write(self, file: int, data: memoryview) -> int:
        if data and not self.room:
            raise OSError(self._problem, os.strerror(self._problem))
        written = self._write(file, data[: self.room])
        self.room -= written
        return written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr("os.write", disk.write)
    return disk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def steps_of(path: Path) -> list[int]:
    return [record.step for record in records_of(path) if isinstance(record, Points)]


@pytest.mark.parametrize("room", [0, 1, 9, 100, 3000])
def test_what_was_logged_on_a_full_disk_is_written_once_there_is_room(
    room: int, disk: Disk, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(path, RUN, 1)
    journal.sync()
    disk.room = room
    for step in range(100):
        journal.points(step, 0, {"loss": float(step), "norm": 1.0})
        if step % 10 == 0:
            journal.append(Progress(phase="training", done=step))
    with pytest.raises(OSError, match="No space left"):
        journal.sync()
    assert len(steps_of(path)) < 100

    disk.room = 1 << 40
    journal.sync()
    journal.points(100, 0, {"loss": 100.0, "norm": 1.0})
    journal.close()

    assert steps_of(path) == list(range(101))
    assert not [record for record in records_of(path) if isinstance(record, Gap)]
    assert ["held in memory" in caplog.text, "there is room again" in caplog.text] == [True, True]


def test_a_full_disk_is_said_once_and_not_at_each_try(
    disk: Disk, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(path, RUN, 1)
    journal.sync()
    disk.room = 0
    for step in range(3):
        journal.points(step, 0, {"loss": 1.0})
        with pytest.raises(OSError):
            journal.sync()
    disk.room = 1 << 40
    journal.close()
    assert caplog.text.count("held in memory") == 1


def test_points_that_no_memory_holds_are_missing_where_the_journal_says_so(
    disk: Disk, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal_writer, "HELD_BYTES", 200)
    journal = Journal(path, RUN, 1)
    journal.points(0, 5, {"loss": 0.0})
    journal.sync()
    disk.room = 0
    for step in range(1, 21):
        journal.points(step, 1000 + step, {"loss": 0.0})
        with pytest.raises(OSError):
            journal.sync()
    journal.append(Progress(phase="training", done=20))
    disk.room = 1 << 40
    until(lambda: any(isinstance(record, Gap) for record in records_of(path)))
    journal.points(21, 0, {"loss": 0.0})
    assert journal.cut() == 1
    journal.close()

    records = records_of(path)
    (gap,) = [record for record in records if isinstance(record, Gap)]
    kept = steps_of(path)
    assert kept == [*range(gap.first_step), 21]
    assert (gap.last_step, gap.points, gap.last_time) == (20, 21 - gap.first_step, 1020)
    assert gap.first_time == 1000 + gap.first_step
    after = records[records.index(gap) + 1 :]
    assert after == [Points(step=21, time=0, values={"loss": 0.0}), Mark(number=1)]
    assert Progress(phase="training", done=20) in records
    assert f"steps {gap.first_step} to 20 are missing" in caplog.text


def test_the_gap_is_marked_also_where_the_room_comes_with_the_end(
    disk: Disk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_writer, "HELD_BYTES", 0)
    monkeypatch.setattr(journal_writer, "FLUSH_SECONDS", 60)  # no round but those that are asked for
    journal = Journal(path, RUN, 1)
    journal.sync()
    disk.room = 0
    for step in range(4):
        journal.points(step, 0, {"loss": 0.0})
        with pytest.raises(OSError):
            journal.sync()
    disk.room = 1 << 40
    journal.close()
    (gap,) = [record for record in records_of(path) if isinstance(record, Gap)]
    assert [*steps_of(path), *range(gap.first_step, gap.last_step + 1)] == [0, 1, 2, 3]


def test_a_disk_that_is_full_at_the_end_is_told_by_the_close(disk: Disk, path: Path) -> None:
    journal = Journal(path, RUN, 1)
    journal.sync()
    disk.room = 3
    journal.points(1, 0, {"loss": 1.0})
    with pytest.raises(JournalBroken, match="No space left"):
        journal.close()
    with pytest.raises(JournalBroken, match="No space left"):
        journal.points(2, 0, {"loss": 1.0})


def test_a_disk_that_fails_is_told_to_whoever_logs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(errno.EIO)
    monkeypatch.setattr("os.write", disk.write)
    journal = Journal(path, RUN, 1)
    journal.sync()
    disk.room = 0
    journal.points(1, 0, {"loss": 1.0})
    with pytest.raises(JournalBroken, match="Input/output"):
        journal.sync()
    with pytest.raises(JournalBroken, match="Input/output"):
        journal.points(2, 0, {"loss": 1.0})


def test_an_attempt_after_a_full_disk_goes_on_behind_the_last_whole_record(
    disk: Disk, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    journal = Journal(path, RUN, 1)
    journal.points(1, 0, {"loss": 1.0})
    journal.sync()
    disk.room = 20
    journal.points(2, 0, {"loss": 1.0})
    with pytest.raises(JournalBroken):
        journal.close()

    disk.room = 1 << 40
    later = Journal(path, RUN, 1)
    later.points(3, 0, {"loss": 1.0})
    later.close()
    assert steps_of(path) == [1, 3]
    assert [record.number for record in records_of(path) if isinstance(record, Mark)] == [1, 2]
