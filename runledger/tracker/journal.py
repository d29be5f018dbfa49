"""The attempt's own record on local disk: what stands in it, and how it is read.

A frame is `<length><crc32>` (two little-endian uint32) and a MessagePack record. Points lie between
marks; the batch that a mark closes is shipped as one event whose id follows from the mark, so that
shipping it again changes nothing. A reader stops before a torn tail and leaves out, but reports, what
is damaged in the middle. The writing side is `tracker.journal_writer`.
"""

from __future__ import annotations

import logging
import struct
import sys
import zlib
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from runledger.tracker.events.base import Score
from runledger.tracker.events.telemetry import MetricsRecorded
from runledger.tracker.spec import Scalar

logger = logging.getLogger(__name__)

FORMAT = 1
MAX_RECORD_BYTES = 64 * 1024 * 1024
_HEADER = struct.Struct("<II")
_KIND = b"\xa4kind"
"""Every record begins with the tag: behind one byte that says how many fields there are."""
_POINTS = (b"\x84\xa4kind\xa6points", b"\x85\xa4kind\xa4rows")


class JournalRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One record. Tags are permanent; a field may be added with a default."""


class FactRecord(JournalRecord, frozen=True, kw_only=True):
    """A record that becomes a fact of the run's life."""

    time: int | None = None
    """When it was so, in µs since 1970; None in what was written without it."""


class Opened(JournalRecord, frozen=True, kw_only=True, tag="opened"):
    """Whose journal this is; the first record."""

    run_id: str
    attempt: int
    format: int = FORMAT


class Points(JournalRecord, frozen=True, kw_only=True, tag="points"):
    """Values of one step; `time` is in µs since 1970."""

    step: int
    time: int
    values: dict[str, float]


class Rows(JournalRecord, frozen=True, kw_only=True, tag="rows"):
    """The points of steps that logged the same names, packed; whoever reads gets them as `Points`.

    Columns are raw and little-endian, one entry a step, but for `values`: one for each of its names.
    """

    names: tuple[str, ...]
    steps: bytes
    """int64."""
    times: bytes
    """int64, µs since 1970."""
    values: bytes
    """float64, step by step."""

    def __post_init__(self) -> None:
        rows = len(self.steps) // 8
        if not (
            len(self.steps) == len(self.times) == rows * 8 and len(self.values) == rows * 8 * len(self.names)
        ):
            raise ValueError("the columns of packed points differ in length")

    def unpacked(self) -> list[Points]:
        steps, times, values = _column("q", self.steps), _column("q", self.times), _column("d", self.values)
        width = len(self.names)
        return [
            Points(
                step=step,
                time=time,
                values=dict(zip(self.names, values[row * width : (row + 1) * width], strict=True)),
            )
            for row, (step, time) in enumerate(zip(steps, times, strict=True))
        ]


class Mark(JournalRecord, frozen=True, kw_only=True, tag="mark"):
    """Closes the batch of all points since the mark before. Numbers count from 1."""

    number: int


class Gap(JournalRecord, frozen=True, kw_only=True, tag="gap"):
    """Points that were logged and are missing here: the disk was full for longer than memory holds."""

    points: int
    first_step: int
    last_step: int
    first_time: int
    """µs since 1970."""
    last_time: int


class Checkpoint(FactRecord, frozen=True, kw_only=True, tag="checkpoint"):
    """A committed state, staged under its digest; it covers the batches up to `mark`."""

    step: int
    digest: str
    size_bytes: int
    loss: float | None
    mark: int


class Evaluated(JournalRecord, frozen=True, kw_only=True, tag="evaluated"):
    """Scores of the state that the next checkpoint saves; the predictions are staged."""

    step: int
    benchmark_id: str
    scores: tuple[Score, ...]
    predictions: str
    items: int


class Artifact(FactRecord, frozen=True, kw_only=True, tag="artifact"):
    path: str
    digest: str
    size_bytes: int
    media_type: str


class Environment(FactRecord, frozen=True, kw_only=True, tag="environment"):
    """What the attempt runs on; the names follow `RunEnvironmentRecorded`."""

    versions: dict[str, str]
    devices: tuple[str, ...]
    flags: dict[str, str] = {}
    seed: int | None = None
    code_revision: str | None = None
    code_diff_digest: str | None = None
    lock_digest: str | None = None
    dataset_digest: str | None = None


class Params(FactRecord, frozen=True, kw_only=True, tag="params"):
    """Params that are known only now; each is told once."""

    params: dict[str, Scalar]


class Progress(JournalRecord, frozen=True, kw_only=True, tag="progress"):
    phase: str
    done: int | None = None
    total: int | None = None


class Ended(FactRecord, frozen=True, kw_only=True, tag="ended"):
    """How the training ended; the last record. A journal without it belongs to a killed attempt.

    `stopped` confirms what was asked for; `cancelled` (from the keyboard) and `preempted` (by SIGTERM)
    were decided where the run is executed, and are told only by runs that are executed elsewhere.
    """

    outcome: Literal["completed", "stopped", "failed", "cancelled", "preempted"]
    step: int | None = None
    metrics: dict[str, float] = {}
    reason: Literal["error", "diverged", "out-of-memory"] | None = None
    error_class: str = ""
    message: str = ""
    last_lines: tuple[str, ...] = ()
    """What a person reads first; by default the last lines of the captured output."""


Record: TypeAlias = (
    Opened | Points | Mark | Gap | Checkpoint | Evaluated | Artifact | Environment | Params | Progress | Ended
)

Stored: TypeAlias = Record | Rows
"""What stands in a journal, and not only what is read from it."""

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Stored] = msgspec.msgpack.Decoder(Stored)


def encode_frame(record: JournalRecord) -> bytes:
    payload = _encoder.encode(record)
    return _HEADER.pack(len(payload), zlib.crc32(payload)) + payload


class Entry(msgspec.Struct, frozen=True):
    """A record and where it ends in the file."""

    record: Record
    end: int


class Reader:
    """Follows a journal from `offset`, also while it is being written.

    `on_bad(offset, bytes, problem)` is told of an unreadable record, or of damaged ones in a row, that were
    left out. `without_points` leaves out almost all of a journal, and reads it twenty times faster.
    """

    def __init__(
        self,
        path: Path,
        offset: int = 0,
        *,
        on_bad: Callable[[int, bytes, str], None] | None = None,
        without_points: bool = False,
    ) -> None:
        self.path = path
        self.offset = offset
        self.points_end = 0
        """Where the last points end that were left out."""
        self._on_bad = on_bad or _report_bad
        self._without_points = without_points

    def read(self, max_bytes: int = 1 << 20) -> list[Entry]:
        """The next complete records; none for now if empty. A torn end stays where it is."""
        while True:
            data = self._bytes(max_bytes)
            entries, used = self._parse(data)
            self.offset += used
            if entries or (not used and len(data) < max_bytes) or max_bytes > MAX_RECORD_BYTES:
                return entries
            max_bytes = max_bytes if used else max_bytes * 8

    def torn_bytes(self) -> int:
        """Bytes behind the last record read. Once nobody writes any more: the torn tail."""
        try:
            return max(self.path.stat().st_size - self.offset, 0)
        except FileNotFoundError:
            return 0

    def _bytes(self, max_bytes: int) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                return file.read(max_bytes)
        except FileNotFoundError:
            return b""

    def _parse(self, data: bytes) -> tuple[list[Entry], int]:
        entries: list[Entry] = []
        at = 0
        while True:
            end = _good_end(data, at)
            if end is None:
                good = _next_good(data, at + 1)
                if good is None:  # a torn tail, or a write that is still under way
                    return entries, at
                self._on_bad(self.offset + at, data[at:good], "the checksum does not match")
                at = good
                continue
            if self._without_points and data.startswith(_POINTS, at + _HEADER.size):
                self.points_end = self.offset + end
            elif (records := self._decode(data[at + _HEADER.size : end])) is None:
                self._on_bad(self.offset + at, data[at:end], "not a known record")
            else:
                entries.extend(Entry(record, self.offset + end) for record in records)
            at = end

    def _decode(self, payload: bytes) -> Sequence[Record] | None:
        try:
            stored = _decoder.decode(payload)
            return stored.unpacked() if isinstance(stored, Rows) else (stored,)
        except msgspec.DecodeError as error:
            logger.warning("%s: %s", self.path, error)
            return None


def _good_end(data: bytes, at: int) -> int | None:
    """Where the frame at `at` ends, or None if it is damaged, not whole or no frame."""
    start = at + _HEADER.size
    if start > len(data):
        return None
    length, checksum = _HEADER.unpack_from(data, at)
    end: int = start + length
    if not 0 < length <= MAX_RECORD_BYTES or end > len(data):
        return None
    return end if zlib.crc32(memoryview(data)[start:end]) == checksum else None


def _next_good(data: bytes, at: int) -> int | None:
    """Where the next good frame begins, at `at` or behind it."""
    tag = data.find(_KIND, at + _HEADER.size + 1)
    while tag >= 0:
        start = tag - 1 - _HEADER.size
        if _good_end(data, start) is not None:
            return start
        tag = data.find(_KIND, tag + 1)
    return None


def _report_bad(offset: int, frame: bytes, problem: str) -> None:
    logger.error("journal record at %d (%d bytes) left out: %s", offset, len(frame), problem)


def metrics_recorded(points: Sequence[Points]) -> MetricsRecorded:
    """One batch as an event, in the order in which it was logged."""
    keys: dict[str, int] = {}
    places: dict[tuple[str, ...], array[int]] = {}
    index, step, time, value = array("H"), array("q"), array("q"), array("d")
    for record in points:
        names = tuple(record.values)
        if names not in places:
            places[names] = array("H", [keys.setdefault(name, len(keys)) for name in names])
        index.extend(places[names])
        step.extend([record.step] * len(names))
        time.extend([record.time] * len(names))
        value.extend(record.values.values())
    return MetricsRecorded(
        keys=tuple(keys),
        key_index=little_endian(index),
        step=little_endian(step),
        time=little_endian(time),
        value=little_endian(value),
    )


def little_endian(column: array[int] | array[float]) -> bytes:
    """The column's bytes; the column is spent."""
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def _column(kind: Literal["q", "d"], content: bytes) -> array[Any]:
    column = array(kind)
    column.frombytes(content)
    if sys.byteorder == "big":
        column.byteswap()
    return column
