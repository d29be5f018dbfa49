"""Rows become frames and batches: nothing is lost, moved or too large, whatever the names are."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from runledger.tracker.events.telemetry import MAX_BYTES, MAX_POINTS
from runledger.tracker.journal import Gap, Mark, Points, Reader, Record, metrics_recorded
from runledger.tracker.journal_frames import Frames
from runledger.tracker.points import RowPacking


def read(frames: Frames, folder: Path) -> list[Record]:
    path = folder / "journal"
    path.write_bytes(b"".join(frames.waiting))
    reader = Reader(path)
    found: list[Record] = []
    while entries := reader.read():
        found += [entry.record for entry in entries]
    assert reader.torn_bytes() == 0
    return found


def logged(noise: random.Random) -> list[dict[str, float]]:
    """Steps of few and many names, short and long ones, the same and others."""
    layouts = [
        [f"{noise.randrange(50)}{'x' * noise.choice((0, 3, 240))}/{n}"[-250:] for n in range(width)]
        for width in (1, 3, 99, 100, 101, 999, 1000, 1001, 2_345, 7)
    ]
    found = []
    while len(found) < 60:
        names = noise.choice(layouts)
        found += [{name: noise.random() for name in names}] * noise.randrange(1, 12)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_points_come_out_as_they_went_in_and_no_batch_is_too_large(seed: int, tmp_path: Path) -> None:
    noise, packing, frames = random.Random(seed), RowPacking(), Frames()
    steps = logged(noise)
    for step, values in enumerate(steps):
        frames.add(*packing.row(step, step, values))
        if noise.random() < 0.1:
            frames.mark()
    frames.mark()

    batches: list[list[Points]] = [[]]
    marks = []
    for record in read(frames, tmp_path):
        if isinstance(record, Points):
            batches[-1].append(record)
        elif isinstance(record, Mark):
            marks.append(record.number)
            batches.append([])
    found = [(each.step, *item) for batch in batches for each in batch for item in each.values.items()]
    assert found == [(step, *item) for step, values in enumerate(steps) for item in values.items()]
    assert marks == list(range(1, frames.marks + 1))
    for batch in batches:
        assert sum(len(each.values) for each in batch) <= MAX_POINTS
        event = metrics_recorded(batch)
        assert 26 * len(event.value) // 8 + sum(len(key.encode()) + 5 for key in event.keys) <= MAX_BYTES


def test_a_batch_of_equal_steps_is_filled_to_its_last_point(tmp_path: Path) -> None:
    packing, frames = RowPacking(), Frames()
    for step in range(30):
        frames.add(*packing.row(step, 0, {f"k{key}": 1.0 for key in range(99)}))
    frames.mark()
    sizes = [0]
    for record in read(frames, tmp_path):
        if isinstance(record, Mark):
            sizes.append(0)
        elif isinstance(record, Points):
            sizes[-1] += len(record.values)
    assert sizes == [MAX_POINTS, MAX_POINTS, 30 * 99 - 2 * MAX_POINTS, 0]


def test_a_gap_names_what_was_not_taken(tmp_path: Path) -> None:
    packing, frames = RowPacking(), Frames()
    assert frames.take_again() is None
    frames.stop_taking()
    assert frames.take_again() is None
    frames.add(*packing.row(5, 50, {"a": 1.0}))
    frames.stop_taking()
    frames.add(*packing.row(7, 70, {"a": 1.0, "b": 1.0}))
    frames.stop_taking()
    frames.add(*packing.row(6, 60, {"a": 1.0}))
    gap = Gap(points=3, first_step=7, last_step=6, first_time=70, last_time=60)
    assert frames.take_again() == gap
    frames.add(*packing.row(8, 80, {"a": 1.0}))
    frames.mark()
    assert read(frames, tmp_path) == [
        Points(step=5, time=50, values={"a": 1.0}),
        gap,
        Points(step=8, time=80, values={"a": 1.0}),
        Mark(number=1),
    ]
