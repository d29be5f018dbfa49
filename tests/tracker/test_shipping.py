"""The walk through a journal, whatever it leads to."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from runledger.tracker.errors import Fenced, StoreUnavailable
from runledger.tracker.events.base import Covers
from runledger.tracker.ids import Stream
from runledger.tracker.journal import (
    Artifact,
    Checkpoint,
    Ended,
    Environment,
    Evaluated,
    Gap,
    Mark,
    Params,
    Points,
    Progress,
    Record,
    encode_frame,
)
from runledger.tracker.retrying import Retry
from runledger.tracker.shipping import Shipper


class Destination:
    """Telemetry and facts, kept in order. Every second call finds it away."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.batches: dict[int, list[int]] = {}
        self.is_fenced = False
        self._calls = 0

    def _arrive(self) -> None:
        self._calls += 1
        if self._calls % 2:
            raise StoreUnavailable("here", "away")

    def ship_batch(self, number: int, points: Sequence[Points]) -> None:
        self._arrive()
        self.batches[number] = [each.step for each in points]
        self.told.append(number)

    def covers(self, number: int) -> Covers:
        return Covers(version=number, offset=len(self.batches.get(number, ())))

    def ship_output(self, output: Path) -> bool:
        return False

    def environment(self, record: Environment) -> None:
        self._tell(record)

    def params(self, record: Params) -> None:
        self._tell(record)

    def artifact(self, record: Artifact) -> None:
        self._tell(record)

    def checkpoint(self, record: Checkpoint, evaluated: Sequence[Evaluated], covers: Covers) -> None:
        self._tell((record.step, covers.version, covers.offset))

    def set_aside(self, record: object, problem: object) -> None:
        self.told.append(problem)

    def _tell(self, record: object) -> None:
        self._arrive()
        if self.is_fenced:
            raise Fenced(Stream("run-1"), 1)
        self.told.append(record)


class Walk:
    def __init__(self, folder: Path) -> None:
        self.journal = folder / "journal"
        self.destination = Destination()

    def write(self, *records: Record, damaged: bool = False) -> None:
        frames = b"".join(map(encode_frame, records))
        with self.journal.open("ab") as file:
            file.write(frames[:-1] + bytes([frames[-1] ^ 0xFF]) if damaged else frames)

    def points(self, *steps: int) -> None:
        self.write(*(Points(step=step, time=step, values={"loss": 0.0}) for step in steps))

    def checkpoint(self, step: int, mark: int) -> None:
        self.write(Checkpoint(step=step, digest="ab" * 32, size_bytes=1, loss=None, mark=mark))

    def go(self, *, has_finished: bool = True, or_ended: bool = False, with_facts: bool = True) -> Shipper:
        finished = threading.Event()
        if has_finished:
            finished.set()
        shipper = Shipper(
            self.journal,
            self.journal.with_name("output"),
            self.destination,
            self.destination if with_facts else None,
            Retry(threading.Event(), StoreUnavailable),
        )
        shipper.ship_until(finished, or_ended=or_ended)
        return shipper


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Walk:
    monkeypatch.setattr("runledger.tracker.retrying.FIRST_SECONDS", 0.001)
    return Walk(tmp_path)


def test_everything_goes_in_the_order_in_which_it_was_written(walk: Walk) -> None:
    params = Params(params={"lr": 0.1})
    walk.write(params)
    walk.points(1, 2)
    walk.write(Mark(number=1))
    walk.checkpoint(2, mark=1)
    walk.points(3)
    assert walk.go().is_complete
    assert walk.destination.told == [params, 1, (2, 1, 2), 2]
    assert walk.destination.batches == {1: [1, 2], 2: [3]}


def test_the_last_word_of_a_journal_may_be_enough(walk: Walk) -> None:
    walk.points(1)
    walk.write(Ended(outcome="completed", step=1))
    shipper = walk.go(has_finished=False, or_ended=True)
    assert shipper.is_complete
    assert shipper.ended == Ended(outcome="completed", step=1)
    assert walk.destination.batches == {1: [1]}


def test_the_points_of_a_damaged_mark_belong_to_the_next_batch(walk: Walk) -> None:
    walk.points(1)
    walk.write(Mark(number=1), damaged=True)
    walk.points(2)
    walk.write(Mark(number=2))
    walk.checkpoint(1, mark=1)
    walk.points(3)
    walk.write(Mark(number=3))
    walk.checkpoint(3, mark=3)
    walk.go()
    assert walk.destination.batches == {1: [1, 2], 2: [3]}
    assert walk.destination.told == ["the checksum does not match", 1, (1, 0, 0), 2, (3, 2, 1)]


def test_once_another_has_taken_over_only_telemetry_is_told(walk: Walk) -> None:
    walk.destination.is_fenced = True
    walk.write(Params(params={"lr": 0.1}))
    walk.points(1)
    walk.write(Mark(number=1))
    shipper = walk.go()
    assert shipper.is_fenced.is_set()
    assert shipper.is_complete
    assert walk.destination.told == [1]


def test_of_an_attempt_that_is_over_only_telemetry_is_told(walk: Walk) -> None:
    walk.write(Params(params={"lr": 0.1}))
    walk.points(1)
    walk.go(with_facts=False)
    assert walk.destination.told == [1]


def test_how_far_it_is_is_what_it_says_or_the_last_step(walk: Walk) -> None:
    walk.write(Params(params={}))
    assert walk.go().progress == Progress(phase="preparing")
    walk.points(5)
    assert walk.go().progress == Progress(phase="training", done=5)
    walk.write(Progress(phase="evaluating", done=1, total=9))
    walk.points(6)
    assert walk.go().progress == Progress(phase="evaluating", done=1, total=9)


def test_points_that_a_full_disk_did_not_take_are_set_aside_in_words(walk: Walk) -> None:
    walk.points(1)
    walk.write(Gap(points=12, first_step=2, last_step=4, first_time=0, last_time=0))
    walk.points(5)
    walk.write(Mark(number=1))
    walk.go()
    assert walk.destination.batches == {1: [1, 5]}
    assert "12 points of steps 2 to 4 are missing: a full disk" in walk.destination.told
