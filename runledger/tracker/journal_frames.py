"""What was logged becomes the frames of a journal, cut into batches.

A mark closes a batch at 1,000 points and at 32 KB; the writer closes those that are old enough. Rows that
share their names become one record.
"""

from __future__ import annotations

import struct
import time as clock
from functools import cached_property

import msgspec

from runledger.tracker.events.telemetry import MAX_BYTES, MAX_POINTS
from runledger.tracker.journal import Gap, JournalRecord, Mark, encode_frame
from runledger.tracker.points import VALUES_AT

POINT_BYTES = 26
KEY_BYTES = 5
"""MessagePack's own, for each name of a column."""

_HEAD = struct.Struct("<qq")
"""Step and time of a row."""
_encode_names = msgspec.msgpack.Encoder().encode


class _PackedRows(JournalRecord, frozen=True, kw_only=True, tag="rows"):
    """`Rows` in the same bytes; the names have been encoded."""

    names: msgspec.Raw
    steps: bytes
    times: bytes
    values: bytes


class _Names:
    """Those of the rows that come one after the other."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    @cached_property
    def encoded(self) -> msgspec.Raw:
        return msgspec.Raw(_encode_names(self.names))

    @cached_property
    def key_bytes(self) -> int:
        return sum(map(_key_bytes, self.names))


class _Batch:
    """The points since the last mark, counted."""

    def __init__(self) -> None:
        self.points = 0
        self.opened_at = 0.0
        self._bytes = 0
        self._keys: set[str] = set()
        """Put together once other names come than the first: as a rule none do."""
        self._last: _Names | None = None

    def take(self, new: _Names) -> int:
        """How many points still fit, from the first: as a rule all. An empty batch takes at least one."""
        names = new.names
        if self.points + len(names) > MAX_POINTS:
            return self._take_first(names)
        size = self._bytes + POINT_BYTES * len(names)
        if new is not self._last:
            size += sum(map(_key_bytes, set(names) - self._known())) if self.points else new.key_bytes
        if size > MAX_BYTES:
            return self._take_first(names)
        if not self.points:
            self.opened_at = clock.monotonic()
        self._last = new
        self._bytes = size
        self.points += len(names)
        return len(names)

    def _known(self) -> set[str]:
        if self._last is not None:
            self._keys.update(self._last.names)
        return self._keys

    def _take_first(self, names: tuple[str, ...]) -> int:
        if self.points == MAX_POINTS:
            return 0
        fitting, size, known = 0, self._bytes, self._known()
        for name in names:
            size += POINT_BYTES + (0 if name in known else _key_bytes(name))
            if size > MAX_BYTES or self.points + fitting == MAX_POINTS:
                break
            fitting += 1
        return self.take(_Names(names[:fitting])) if fitting else 0


def _key_bytes(key: str) -> int:
    return len(key.encode()) + KEY_BYTES


class _Missing:
    """The rows that were not taken, counted."""

    def __init__(self) -> None:
        self._points = 0
        self._first: tuple[int, int] | None = None
        self._last = (0, 0)

    def add(self, names: tuple[str, ...], row: bytes) -> None:
        self._points += len(names)
        self._last = _HEAD.unpack_from(row)
        self._first = self._first or self._last

    def gap(self) -> Gap | None:
        if self._first is None:
            return None
        (first_step, first_time), (last_step, last_time) = self._first, self._last
        return Gap(
            points=self._points,
            first_step=first_step,
            last_step=last_step,
            first_time=first_time,
            last_time=last_time,
        )


class Frames:
    """Those that are to be written, in their order. For one thread."""

    def __init__(self) -> None:
        self.waiting: list[bytes] = []
        self.marks = 0
        """The number of the last one."""
        self._batch = _Batch()
        self._names = _Names(())
        self._rows: list[bytes] = []
        """Of the open batch, those not packed yet: each has these names."""
        self._missing: _Missing | None = None

    @property
    def waiting_bytes(self) -> int:
        return sum(map(len, self.waiting))

    @property
    def opened_at(self) -> float | None:
        """When the first point of the open batch was taken, by the monotonic clock; None if there is none."""
        return self._batch.opened_at if self._batch.points else None

    @property
    def is_missing(self) -> bool:
        """Whether what is added is counted only."""
        return self._missing is not None

    def add(self, names: tuple[str, ...], row: bytes) -> None:
        if not names:
            return
        if self._missing is not None:
            self._missing.add(names, row)
            return
        if names is not self._names.names:
            self.pack()
            self._names = _Names(names)
        taken = self._batch.take(self._names)
        if not taken:
            self.mark()
            taken = self._batch.take(self._names)
        if taken == len(names):
            self._rows.append(row)
        else:
            self._split(names, row, taken)

    def put(self, frame: bytes) -> None:
        """Behind all that was added before."""
        self.pack()
        self.waiting.append(frame)

    def mark(self) -> None:
        """Close the batch."""
        number = self.marks + 1
        self.put(encode_frame(Mark(number=number)))
        self._batch, self.marks = _Batch(), number

    def pack(self) -> None:
        """The rows that share their names become one frame."""
        rows, self._rows = self._rows, []
        if not rows:
            return
        packed = _PackedRows(
            names=self._names.encoded,
            steps=b"".join([row[:8] for row in rows]),
            times=b"".join([row[8:VALUES_AT] for row in rows]),
            values=b"".join([row[VALUES_AT:] for row in rows]),
        )
        self.waiting.append(encode_frame(packed))

    def stop_taking(self) -> None:
        """From now on what is added is counted only."""
        self._missing = self._missing or _Missing()

    def take_again(self) -> Gap | None:
        """What was not taken meanwhile; it is marked in its place."""
        gap = self._missing.gap() if self._missing else None
        self._missing = None
        if gap is not None:
            self.put(encode_frame(gap))
        return gap

    def _split(self, names: tuple[str, ...], row: bytes, taken: int) -> None:
        """A row of which the open batch has taken but so many points: the next ones take the rest."""
        while True:
            self._add_part(names[:taken], row[: VALUES_AT + 8 * taken])
            names, row = names[taken:], row[:VALUES_AT] + row[VALUES_AT + 8 * taken :]
            if not names:
                return
            self.mark()
            taken = self._batch.take(_Names(names))

    def _add_part(self, names: tuple[str, ...], row: bytes) -> None:
        self.pack()
        self._names = _Names(names)
        self._rows.append(row)
