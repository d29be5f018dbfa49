"""Columns of points: a batch cut into its keys, and the summary of some points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from tracker.events.telemetry import MetricsRecorded

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.uint32]


class Points(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one key in the order in which they were logged."""

    place: Places
    step: Ints
    time: Ints
    value: Floats

    def first(self, count: int) -> Points:
        return Points(
            place=self.place[:count], step=self.step[:count], time=self.time[:count], value=self.value[:count]
        )


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Of at least one point. Least and greatest are of the finite values, each at its earliest step."""

    points: int
    non_finite: int
    last_value: float
    last_step: int
    last_time: int
    """µs since 1970 UTC."""
    min_value: float | None
    min_step: int | None
    max_value: float | None
    max_step: int | None

    def then(self, later: Summary) -> Summary:
        """The summary of these points and of `later` ones after them."""
        least, greatest = self, self
        if self.min_value is None or (later.min_value is not None and later.min_value < self.min_value):
            least = later
        if self.max_value is None or (later.max_value is not None and later.max_value > self.max_value):
            greatest = later
        return Summary(
            points=self.points + later.points,
            non_finite=self.non_finite + later.non_finite,
            last_value=later.last_value,
            last_step=later.last_step,
            last_time=later.last_time,
            min_value=least.min_value,
            min_step=least.min_step,
            max_value=greatest.max_value,
            max_step=greatest.max_step,
        )


SUMMARY_FIELDS = Summary.__struct_fields__


def summary_of_row(row: Any) -> Summary:
    return Summary(**{name: row[name] for name in SUMMARY_FIELDS})


def cut_by_key(batch: MetricsRecorded) -> Iterator[tuple[str, Points]]:
    """Each key of the batch that has points. Raises `ValueError` where the columns do not fit together."""
    index = np.frombuffer(batch.key_index, "<u2")
    step, time = np.frombuffer(batch.step, "<i8"), np.frombuffer(batch.time, "<i8")
    value = np.frombuffer(batch.value, "<f8")
    if not len(index) == len(step) == len(time) == len(value):
        raise ValueError("the columns of a batch of metrics are of different lengths")
    if len(index) and int(index.max()) >= len(batch.keys):
        raise ValueError("a batch of metrics has a point of a key that it does not name")
    order = np.argsort(index, kind="stable")
    ends = np.cumsum(np.bincount(index, minlength=len(batch.keys)))
    start = 0
    for key, end in zip(batch.keys, ends.tolist(), strict=True):
        if end > start:
            at = order[start:end]
            yield key, Points(place=at.astype("<u4"), step=step[at], time=time[at], value=value[at])
        start = end


def summarise(points: Points) -> Summary:
    finite = np.isfinite(points.value)
    least, greatest = _extremes(points, finite)
    return Summary(
        points=len(points.value),
        non_finite=len(points.value) - int(finite.sum()),
        last_value=float(points.value[-1]),
        last_step=int(points.step[-1]),
        last_time=int(points.time[-1]),
        min_value=None if least is None else float(points.value[least]),
        min_step=None if least is None else int(points.step[least]),
        max_value=None if greatest is None else float(points.value[greatest]),
        max_step=None if greatest is None else int(points.step[greatest]),
    )


def _extremes(points: Points, finite: NDArray[np.bool_]) -> tuple[int | None, int | None]:
    """Where the least and the greatest finite value stand, each the first of its kind."""
    if not finite.any():
        return None, None
    least = np.argmin(np.where(finite, points.value, np.inf))
    greatest = np.argmax(np.where(finite, points.value, -np.inf))
    return int(least), int(greatest)
