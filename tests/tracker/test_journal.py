"""The journal: framing, batches, torn tails, bad records."""

from __future__ import annotations

import math
import random
import time
from array import array
from itertools import accumulate
from pathlib import Path

import pytest

from runledger.tracker.errors import JournalBroken
from runledger.tracker.events.telemetry import MAX_BYTES, MAX_POINTS
from runledger.tracker.journal import (
    Ended,
    Entry,
    Mark,
    Opened,
    Points,
    Progress,
    Reader,
    Record,
    encode_frame,
    metrics_recorded,
)
from runledger.tracker.journal_writer import Journal

RUN = "5f" * 16


def records_of(path: Path) -> list[Record]:
    reader = Reader(path)
    found: list[Entry] = []
    while entries := reader.read():
        found += entries
    return [entry.record for entry in found]


def batches_of(path: Path) -> list[list[Points]]:
    batches: list[list[Points]] = [[]]
    for record in records_of(path):
        if isinstance(record, Points):
            batches[-1].append(record)
        elif isinstance(record, Mark):
            batches.append([])
    assert batches.pop() == []
    return batches


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_what_is_appended_is_read_in_order(path: Path) -> None:
    journal = Journal(path, RUN, 1)
    journal.points(0, 10, {"loss": 1.5})
    journal.append(Progress(phase="training", done=1, total=2))
    journal.points(1, 20, {"loss": 1.0})
    journal.append(Ended(outcome="completed", step=1))
    journal.close()
    assert records_of(path) == [
        Opened(run_id=RUN, attempt=1),
        Points(step=0, time=10, values={"loss": 1.5}),
        Progress(phase="training", done=1, total=2),
        Points(step=1, time=20, values={"loss": 1.0}),
        Ended(outcome="completed", step=1),
        Mark(number=1),
    ]


def test_a_cut_closes_the_batch_and_tells_its_number(path: Path) -> None:
    journal = Journal(path, RUN, 1)
    assert journal.cut() == 0
    journal.points(0, 0, {"loss": 1.0})
    assert journal.cut() == 1
    assert journal.cut() == 1
    journal.points(1, 0, {"loss": 1.0})
    assert journal.cut() == 2
    journal.close()


def test_a_batch_holds_at_most_a_thousand_points(path: Path) -> None:
    journal = Journal(path, RUN, 1)
    for step in range(25):
        journal.points(step, 0, {f"k{key}": 0.0 for key in range(100)})
    journal.close()
    sizes = [sum(len(points.values) for points in batch) for batch in batches_of(path)]
    assert sizes == [MAX_POINTS, MAX_POINTS, 500]


def test_a_batch_stays_below_the_size_limit_with_long_names(path: Path) -> None:
    journal = Journal(path, RUN, 1)
    for step in range(4):
        journal.points(step, 0, {f"{key:0200}": float(key) for key in range(300)})
    journal.close()
    for batch in batches_of(path):
        event = metrics_recorded(batch)
        columns = sum(map(len, (event.key_index, event.step, event.time, event.value)))
        assert columns + sum(map(len, event.keys)) <= MAX_BYTES


def test_a_batch_is_closed_after_a_while(path: Path) -> None:
    journal = Journal(path, RUN, 1, batch_seconds=0.05)
    journal.points(0, 0, {"loss": 1.0})
    deadline = time.monotonic() + 5
    while Mark(number=1) not in records_of(path):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    journal.close()


def test_nothing_of_a_value_is_lost(path: Path) -> None:
    values = {"nan": math.nan, "inf": math.inf, "minus": -math.inf, "tiny": 5e-324, "third": 1 / 3}
    journal = Journal(path, RUN, 1)
    journal.points(-(2**63), 2**63 - 1, values)
    journal.close()
    event = metrics_recorded(batches_of(path)[0])
    assert event.keys == tuple(values)
    assert array("d", event.value).tobytes() == array("d", values.values()).tobytes()
    assert array("q", event.step)[0] == -(2**63)
    assert array("q", event.time)[0] == 2**63 - 1
    assert list(array("H", event.key_index)) == [0, 1, 2, 3, 4]


def test_progress_that_does_not_move_is_written_once(path: Path) -> None:
    journal = Journal(path, RUN, 1)
    for done in (1, 1, 1, 2):
        journal.append(Progress(phase="training", done=done))
    journal.close()
    assert [r.done for r in records_of(path) if isinstance(r, Progress)] == [1, 2]


@pytest.mark.parametrize("kept", range(1, 40))
def test_a_torn_tail_ends_at_the_last_good_record(path: Path, kept: int) -> None:
    good = encode_frame(Mark(number=1))
    torn = encode_frame(Progress(phase="evaluating", done=1, total=99))[: -1 - kept % 30]
    path.write_bytes(good + torn)
    reader = Reader(path)
    assert [entry.record for entry in reader.read()] == [Mark(number=1)]
    assert (reader.offset, reader.torn_bytes()) == (len(good), len(torn))


def test_zeros_behind_the_last_record_are_a_torn_tail(path: Path) -> None:
    path.write_bytes(encode_frame(Mark(number=1)) + bytes(4096))
    assert records_of(path) == [Mark(number=1)]


def test_the_tail_is_read_once_its_rest_arrives(path: Path) -> None:
    frame = encode_frame(Mark(number=7))
    path.write_bytes(frame[:9])
    reader = Reader(path)
    assert reader.read() == []
    with path.open("ab") as file:
        file.write(frame[9:])
    assert [entry.record for entry in reader.read()] == [Mark(number=7)]


def test_a_damaged_record_in_the_middle_is_reported_and_left_out(path: Path) -> None:
    damaged = bytearray(encode_frame(Mark(number=2)))
    damaged[-1] ^= 1
    path.write_bytes(encode_frame(Mark(number=1)) + damaged + encode_frame(Mark(number=3)))
    bad: list[tuple[int, bytes]] = []
    reader = Reader(path, on_bad=lambda offset, frame, problem: bad.append((offset, frame)))
    assert [entry.record for entry in reader.read()] == [Mark(number=1), Mark(number=3)]
    assert bad == [(len(damaged), bytes(damaged))]


def test_a_record_of_an_unknown_kind_is_reported_and_left_out(path: Path) -> None:
    class Strange(Mark, frozen=True, kw_only=True, tag="strange"):
        pass

    path.write_bytes(encode_frame(Strange(number=1)) + encode_frame(Mark(number=2)))
    bad: list[str] = []
    reader = Reader(path, on_bad=lambda offset, frame, problem: bad.append(problem))
    assert [entry.record for entry in reader.read()] == [Mark(number=2)]
    assert bad == ["not a known record"]


def test_a_record_larger_than_one_read_is_found(path: Path) -> None:
    large = Points(step=0, time=0, values={f"k{i}": 1.0 for i in range(10_000)})
    path.write_bytes(encode_frame(large) + encode_frame(Mark(number=1)))
    reader = Reader(path)
    assert reader.read(max_bytes=64)[0].record == large


def test_a_journal_goes_on_after_a_torn_tail(path: Path) -> None:
    points = Points(step=0, time=0, values={"loss": 1.0})
    opened = Opened(run_id=RUN, attempt=1)
    path.write_bytes(encode_frame(opened) + encode_frame(points) + b"\x09\x00")
    journal = Journal(path, RUN, 1)
    journal.points(1, 0, {"loss": 2.0})
    journal.close()
    later = Points(step=1, time=0, values={"loss": 2.0})
    assert records_of(path) == [opened, points, Mark(number=1), later, Mark(number=2)]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalBroken, match="absent"):
        Journal(tmp_path / "absent" / "journal", RUN, 1)


def damaged(record: Record, at: int) -> bytes:
    frame = bytearray(encode_frame(record))
    frame[at] ^= 0x40
    return bytes(frame)


@pytest.mark.parametrize("at", [0, 2, 3, 4, 8, 9, -1], ids=lambda at: f"byte {at}")
@pytest.mark.parametrize("count", [1, 2, 5])
def test_damage_costs_the_records_it_hits_and_none_behind_them(path: Path, at: int, count: int) -> None:
    bad_bytes = b"".join(damaged(Points(step=n, time=0, values={"loss": 1.0}), at) for n in range(count))
    first, last = encode_frame(Mark(number=1)), encode_frame(Mark(number=2))
    path.write_bytes(first + bad_bytes + last)
    bad: list[tuple[int, bytes]] = []
    reader = Reader(path, on_bad=lambda offset, frame, problem: bad.append((offset, frame)))
    assert [entry.record for entry in reader.read(max_bytes=32)] == [Mark(number=1)]
    assert [entry.record for entry in reader.read(max_bytes=32)] == [Mark(number=2)]
    assert b"".join(frame for _, frame in bad) == bad_bytes
    assert reader.torn_bytes() == 0


def test_a_journal_goes_on_behind_what_is_damaged_in_its_middle(path: Path) -> None:
    points = Points(step=1, time=0, values={"loss": 1.0})
    path.write_bytes(
        encode_frame(Opened(run_id=RUN, attempt=1))
        + damaged(points, 3)
        + encode_frame(points)
        + encode_frame(Mark(number=1))
    )
    journal = Journal(path, RUN, 1)
    journal.points(2, 0, {"loss": 1.0})
    journal.close()
    assert records_of(path)[1:] == [
        points,
        Mark(number=1),
        Points(step=2, time=0, values={"loss": 1.0}),
        Mark(number=2),
    ]


def test_whatever_is_cut_off_or_flipped_a_reader_gives_only_what_was_written(path: Path) -> None:
    noise = random.Random(11)
    written: list[Record] = []
    for step in range(40):
        written += [Points(step=step, time=step, values={"a": 0.5, "b": float(step)}), Mark(number=step + 1)]
    whole = b"".join(map(encode_frame, written))
    for _ in range(300):
        data = bytearray(whole[: noise.randrange(len(whole))])
        hits = noise.randrange(4) if data else 0
        for _ in range(hits):
            data[noise.randrange(len(data))] ^= 1 << noise.randrange(8)
        path.write_bytes(data)
        found = records_of(path)
        assert [record for record in written if record in found] == found
        whole_frames = sum(end <= len(data) for end in accumulate(len(encode_frame(r)) for r in written))
        assert len(found) >= whole_frames - hits


def test_a_reader_without_points_gives_all_else_and_where_they_end(path: Path) -> None:
    journal = Journal(path, RUN, 1)
    for step in range(3):
        journal.points(step, 0, {"loss": 1.0, "norm": 2.0})
    journal.append(Progress(phase="training", done=3))
    journal.points(3, 0, {"loss": 1.0})
    journal.sync()
    reader = Reader(path, without_points=True)
    found = [entry.record for entry in reader.read(max_bytes=16)]
    while entries := reader.read(max_bytes=16):
        found += [entry.record for entry in entries]
    assert found == [Opened(run_id=RUN, attempt=1), Progress(phase="training", done=3)]
    assert reader.points_end == reader.offset == path.stat().st_size
    journal.close()


def test_a_journal_that_is_there_is_taken_up_without_reading_its_points(path: Path) -> None:
    unreadable = encode_frame(Points(step=0, time=0, values={"loss": "?"}))  # type: ignore[dict-item]
    path.write_bytes(encode_frame(Opened(run_id=RUN, attempt=1)) + encode_frame(Mark(number=6)) + unreadable)
    bad: list[str] = []
    journal = Journal(path, RUN, 1)
    assert journal.cut() == 7
    journal.close()
    reader = Reader(path, on_bad=lambda offset, frame, problem: bad.append(problem))
    assert [entry.record for entry in reader.read()][1:] == [Mark(number=6), Mark(number=7)]
    assert bad == ["not a known record"]
