"""Columns of points, and batches of telemetry put together in the order of their keys.

Within a key the points stand as they were logged. Each still tells its batch and its place there, by
which a cut goes through them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from runledger.projections.rows import clean_text
from runledger.tracker.events.telemetry import MetricsRecorded

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.uint32]
Marks: TypeAlias = NDArray[np.bool_]

RADIX_LIMIT = 2**16
"""numpy sorts integers of two bytes in one pass over them."""


class Batch(msgspec.Struct, frozen=True, gc=False):
    """One event of metrics and where it stands: in its stream, in the log."""

    version: int
    position: int
    event: MetricsRecorded


class Points(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one attempt, by key; every array but the last two has one entry a point."""

    keys: tuple[str, ...]
    """Ascending, each with at least one point."""
    key: Counts
    """Which of `keys`; ascending."""
    batch: Counts
    """Which of the batches, whose versions and positions are the last two arrays."""
    place: Counts
    """Which of all the points of that batch."""
    step: Ints
    time: Ints
    value: Floats
    versions: Ints
    positions: Ints

    def __len__(self) -> int:
        return len(self.value)

    def between(self, start: int, end: int) -> Points:
        """A part of them, with the keys that have points there."""
        key = self.key[start:end]
        first = int(key[0]) if len(key) else 0
        return msgspec.structs.replace(
            self,
            keys=self.keys[first : int(key[-1]) + 1] if len(key) else (),
            key=key - np.uint32(first),
            batch=self.batch[start:end],
            place=self.place[start:end],
            step=self.step[start:end],
            time=self.time[start:end],
            value=self.value[start:end],
        )

    def where(self, marked: Marks) -> Points:
        """Those that are marked."""
        if marked.all():
            return self
        used, key = np.unique(self.key[marked], return_inverse=True)
        return msgspec.structs.replace(
            self,
            keys=tuple(self.keys[at] for at in used),
            key=key.astype("<u4"),
            batch=self.batch[marked],
            place=self.place[marked],
            step=self.step[marked],
            time=self.time[marked],
            value=self.value[marked],
        )

    def of_key(self, key: str) -> Points:
        try:
            rank = self.keys.index(key)
        except ValueError:
            return self.between(0, 0)
        start, end = np.searchsorted(self.key, np.array([rank, rank + 1], "<u4"))
        return self.between(int(start), int(end))


def put_together(batches: Sequence[Batch]) -> Points:
    """The points of some batches of one attempt, which are in the order of their versions.

    Raises `ValueError` where the columns of a batch do not fit together.
    """
    events = [batch.event for batch in batches]
    counts = _counts(events)
    keys, key = _ranked(events, counts)
    order = np.argsort(key.astype("<u2") if len(keys) <= RADIX_LIMIT else key, kind="stable")
    return Points(
        keys=keys,
        key=key[order],
        batch=np.repeat(np.arange(len(events), dtype="<u4"), counts)[order],
        place=_places(counts)[order],
        step=_ints(event.step for event in events)[order],
        time=_ints(event.time for event in events)[order],
        value=_floats(event.value for event in events)[order],
        versions=np.array([batch.version for batch in batches], "<i8"),
        positions=np.array([batch.position for batch in batches], "<i8"),
    )


def put_together_of_key(batches: Sequence[Batch], key: str) -> Points:
    """`put_together(batches).of_key(key)`, without looking at the points of other keys."""
    marked = [_places_of_key(batch.event, key) for batch in batches]
    counts = np.array([len(places) for places in marked], np.int64)
    return Points(
        keys=(key,) if counts.sum() else (),
        key=np.zeros(counts.sum(), "<u4"),
        batch=np.repeat(np.arange(len(batches), dtype="<u4"), counts),
        place=np.concatenate([np.empty(0, "<u4"), *marked]),
        step=_taken([batch.event.step for batch in batches], "<i8", marked),
        time=_taken([batch.event.time for batch in batches], "<i8", marked),
        value=_taken([batch.event.value for batch in batches], "<f8", marked),
        versions=np.array([batch.version for batch in batches], "<i8"),
        positions=np.array([batch.position for batch in batches], "<i8"),
    )


def _places_of_key(event: MetricsRecorded, key: str) -> Counts:
    named = [at for at, name in enumerate(event.keys) if name == key or clean_text(name) == key]
    if not named:
        return np.empty(0, "<u4")
    index = np.frombuffer(event.key_index, "<u2")
    return np.flatnonzero(np.isin(index, named)).astype("<u4")


def _taken(columns: Sequence[bytes], dtype: str, marked: Sequence[Counts]) -> NDArray[Any]:
    parts = [
        np.frombuffer(column, dtype)[places]
        for column, places in zip(columns, marked, strict=True)
        if len(places)
    ]
    return np.concatenate([np.empty(0, dtype), *parts])


def _counts(events: Sequence[MetricsRecorded]) -> Ints:
    """How many points each has."""
    sizes = np.array([(len(e.key_index), len(e.step), len(e.time), len(e.value)) for e in events], "<i8")
    counts = sizes.reshape(-1, 4)[:, :1] // 2
    if (sizes.reshape(-1, 4)[:, 1:] != 8 * counts).any():
        raise ValueError("the columns of a batch of metrics are of different lengths")
    return counts[:, 0]


def _ranked(events: Sequence[MetricsRecorded], counts: Ints) -> tuple[tuple[str, ...], Counts]:
    """The keys that have points, ascending, and for each point which of them is its own."""
    lists = list({event.keys: None for event in events})
    named = tuple(sorted({clean_text(key) for keys in lists for key in keys}))
    rank = {key: at for at, key in enumerate(named)}
    ranks = np.array([rank[clean_text(key)] for keys in lists for key in keys], "<u4")
    index = np.frombuffer(b"".join([event.key_index for event in events]), "<u2").astype("<i8")
    # The lists of keys one after the other, and where in them those of each batch begin.
    lengths = np.array([len(keys) for keys in lists], "<i8")
    begin = dict(zip(lists, (np.cumsum(lengths) - lengths).tolist(), strict=True))
    if (index >= np.repeat(np.array([len(event.keys) for event in events], "<i8"), counts)).any():
        raise ValueError("a batch of metrics has a point of a key that it does not name")
    index += np.repeat(np.array([begin[event.keys] for event in events], "<i8"), counts)
    return _without_unused(named, ranks[index])


def _without_unused(named: tuple[str, ...], key: Counts) -> tuple[tuple[str, ...], Counts]:
    is_used = np.bincount(key, minlength=len(named)) > 0
    if is_used.all():
        return named, key
    used = tuple(name for name, is_one in zip(named, is_used.tolist(), strict=True) if is_one)
    return used, (np.cumsum(is_used) - 1).astype("<u4")[key]


def _places(counts: Ints) -> Counts:
    """0, 1, 2 … anew for each batch."""
    ends = np.cumsum(counts)
    return (np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)).astype("<u4")


def _ints(parts: Iterable[bytes]) -> Ints:
    return np.frombuffer(b"".join(parts), "<i8")


def _floats(parts: Iterable[bytes]) -> Floats:
    return np.frombuffer(b"".join(parts), "<f8")
