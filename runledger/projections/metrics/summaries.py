"""What the points of a key come to: last, least, greatest, and at which step.

Three ways to the same: all keys of some points at once, one summary after another, and in the database
(`grown`), where the summary that is stored need not be read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import ColumnElement, and_, case, or_

from runledger.projections.metrics.effective import Cuts, effective, limit_of
from runledger.projections.metrics.points import Counts, Floats, Ints, Marks, Points
from runledger.projections.metrics.tables import summaries as stored
from runledger.projections.rows import Columns


class Summary(msgspec.Struct, frozen=True):
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


FIELDS = Summary.__struct_fields__


def summary_of_row(row: Any) -> Summary:
    return Summary(**{name: row[name] for name in FIELDS})


def summarise(points: Points) -> dict[str, Summary]:
    """By key, of all keys at once."""
    if not len(points):
        return {}
    start = np.searchsorted(points.key, np.arange(len(points.keys), dtype="<u4"))
    end = np.append(start[1:], len(points))
    finite = np.isfinite(points.value)
    finite_count = np.add.reduceat(finite, start, dtype=np.int64)
    least = _first_of(points.key, start, np.where(finite, points.value, np.inf), np.minimum)
    greatest = _first_of(points.key, start, np.where(finite, points.value, -np.inf), np.maximum)
    columns = (
        (end - start).tolist(),
        (end - start - finite_count).tolist(),
        points.value[end - 1].tolist(),
        points.step[end - 1].tolist(),
        points.time[end - 1].tolist(),
        *(
            _or_none(column[at], finite_count > 0)
            for at in (least, greatest)
            for column in (points.value, points.step)
        ),
    )
    rows = zip(*columns, strict=True)
    return {key: Summary(*row) for key, row in zip(points.keys, rows, strict=True)}


def summarise_parts(parts: Iterable[Points]) -> dict[str, Summary]:
    """By key, of points that come one after the other."""
    found: dict[str, Summary] = {}
    for points in parts:
        _extend(found, summarise(points))
    return found


def summarise_effective(parts: Iterable[tuple[int, Points]], cuts: Cuts) -> dict[str, Summary]:
    """By key, over the effective points of all attempts; the parts of an attempt come in their order."""
    found: defaultdict[int, dict[str, Summary]] = defaultdict(dict)
    for attempt, points in parts:
        kept = points.where(effective(points, limit_of(cuts, attempt)))
        _extend(found[attempt], summarise(kept))
    whole: dict[str, Summary] = {}
    for attempt in sorted(found):
        _extend(whole, found[attempt])
    return whole


def grown(added: Columns) -> Mapping[str, ColumnElement[Any]]:
    """A stored summary once the one that is `added` was put behind it: `then`, as the database does it."""
    is_less = _is_better(stored.c.min_value, added["min_value"], added["min_value"] < stored.c.min_value)
    is_more = _is_better(stored.c.max_value, added["max_value"], added["max_value"] > stored.c.max_value)
    return {
        "points": stored.c.points + added["points"],
        "non_finite": stored.c.non_finite + added["non_finite"],
        **{name: added[name] for name in ("last_value", "last_step", "last_time")},
        **{name: case((is_less, added[name]), else_=stored.c[name]) for name in ("min_value", "min_step")},
        **{name: case((is_more, added[name]), else_=stored.c[name]) for name in ("max_value", "max_step")},
    }


def _is_better(
    before: ColumnElement[Any], added: ColumnElement[Any], beats: ColumnElement[bool]
) -> ColumnElement[bool]:
    return or_(before.is_(None), and_(added.is_not(None), beats))


def _extend(summaries: dict[str, Summary], later: Mapping[str, Summary]) -> None:
    for key, summary in later.items():
        before = summaries.get(key)
        summaries[key] = summary if before is None else before.then(summary)


def _first_of(key: Counts, start: Ints, value: Floats, better: np.ufunc) -> Ints:
    """Where each key has its best value first."""
    best = better.reduceat(value, start)
    at = np.flatnonzero(value == best[key])
    return at[np.searchsorted(key[at], np.arange(len(start), dtype="<u4"))]


def _or_none(column: Ints | Floats, is_known: Marks) -> list[float | int | None]:
    """None for a key without a finite value."""
    if is_known.all():
        return list(column.tolist())
    return [value if known else None for value, known in zip(column.tolist(), is_known.tolist(), strict=True)]
