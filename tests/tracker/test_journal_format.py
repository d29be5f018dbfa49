"""Every record that a journal ever held can be read, and is written today as it was on its first day."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import msgspec
import pytest

from runledger.tracker.events.base import Score
from runledger.tracker.journal import (
    Artifact,
    Checkpoint,
    Ended,
    Environment,
    Evaluated,
    Gap,
    Mark,
    Opened,
    Params,
    Points,
    Progress,
    Reader,
    Rows,
    Stored,
    encode_frame,
)

FOLDER = Path(__file__).parent / "golden_journal"
TIME = 1_700_000_000_000_000

EXPECTED: dict[str, Stored] = {
    "opened.1": Opened(run_id="5f" * 16, attempt=2, format=1),
    "points.1": Points(step=3, time=10, values={"loss": 0.5}),
    "rows.1": Rows(
        names=("loss", "norm"),
        steps=struct.pack("<2q", 3, 4),
        times=struct.pack("<2q", TIME, TIME + 1),
        values=struct.pack("<4d", 0.5, 1e300, -0.25, float("inf")),
    ),
    "mark.1": Mark(number=1),
    "gap.1": Gap(points=5, first_step=3, last_step=7, first_time=TIME, last_time=TIME + 1),
    "checkpoint.1": Checkpoint(step=3, digest="ab" * 32, size_bytes=7, loss=0.25, mark=1),
    "checkpoint.2": Checkpoint(time=TIME, step=3, digest="ab" * 32, size_bytes=7, loss=0.25, mark=1),
    "evaluated.1": Evaluated(
        step=3,
        benchmark_id="b",
        scores=(Score(name="s", value=1.0, count=2),),
        predictions="cd" * 32,
        items=2,
    ),
    "artifact.1": Artifact(path="a/b.txt", digest="ef" * 32, size_bytes=1, media_type="text/plain"),
    "artifact.2": Artifact(
        time=TIME, path="a/b.txt", digest="ef" * 32, size_bytes=1, media_type="text/plain"
    ),
    "environment.1": Environment(versions={"python": "3.11"}, devices=("cpu",), seed=1),
    "environment.2": Environment(time=TIME, versions={"python": "3.11"}, devices=("cpu",), seed=1),
    "params.1": Params(time=TIME, params={"lr": 0.001, "name": "x", "nothing": None}),
    "progress.1": Progress(phase="training", done=1),
    "ended.1": Ended(
        outcome="failed",
        step=3,
        metrics={"loss": 0.5},
        reason="diverged",
        error_class="Diverged",
        message="NaN",
    ),
    "ended.2": Ended(time=TIME, outcome="preempted", step=3, last_lines=("bye",)),
}
"""The bytes beside this file and what they mean; an entry is never changed."""
LATEST = [name for name in EXPECTED if f"{name[:-1]}{int(name[-1]) + 1}" not in EXPECTED]


def stored(name: str) -> bytes:
    return bytes.fromhex((FOLDER / f"{name}.hex").read_text())


def framed(payload: bytes) -> bytes:
    return struct.pack("<II", len(payload), zlib.crc32(payload)) + payload


def test_every_shape_has_its_bytes() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.hex")) == sorted(EXPECTED)


def test_the_kinds_of_records_are_these_for_ever() -> None:
    kinds = {name.partition(".")[0] for name in EXPECTED}
    assert kinds == {kind.__struct_config__.tag for kind in Stored.__args__}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_was_written_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(framed(stored(name)))
    expected = EXPECTED[name]
    records = expected.unpacked() if isinstance(expected, Rows) else [expected]
    assert [entry.record for entry in Reader(tmp_path / "journal").read()] == records


@pytest.mark.parametrize("name", EXPECTED)
def test_a_reader_without_points_leaves_out_what_are_points(name: str, tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(framed(stored(name)))
    reader = Reader(tmp_path / "journal", without_points=True)
    found = [entry.record for entry in reader.read()]
    assert (found == []) == isinstance(EXPECTED[name], Points | Rows) == (reader.points_end > 0)


def test_packed_points_are_read_step_by_step() -> None:
    rows = EXPECTED["rows.1"]
    assert isinstance(rows, Rows)
    assert rows.unpacked() == [
        Points(step=3, time=TIME, values={"loss": 0.5, "norm": 1e300}),
        Points(step=4, time=TIME + 1, values={"loss": -0.25, "norm": float("inf")}),
    ]


@pytest.mark.parametrize("column", ["steps", "times", "values"])
def test_packed_points_whose_columns_differ_are_set_aside(column: str, tmp_path: Path) -> None:
    payload = msgspec.msgpack.decode(stored("rows.1"))
    payload[column] = payload[column][:-8]
    (tmp_path / "journal").write_bytes(framed(msgspec.msgpack.encode(payload)))
    bad: list[str] = []
    assert (
        Reader(tmp_path / "journal", on_bad=lambda offset, frame, problem: bad.append(problem)).read() == []
    )
    assert bad == ["not a known record"]


@pytest.mark.parametrize("name", LATEST)
def test_the_latest_shape_is_what_is_written(name: str) -> None:
    assert encode_frame(EXPECTED[name]) == framed(stored(name))
