"""Fewer points that look the same: MinMaxLTTB over the finite ones, their extremes, a mark for each gap."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from tsdownsample import MinMaxLTTBDownsampler

from runledger.projections.metrics.points import Floats, Ints

LEAST = 10
"""Fewer points than this draw no curve."""

_downsampler = MinMaxLTTBDownsampler()


def pick(x: Ints, y: Floats, limit: int) -> Ints:
    """Ascending indices of at most `limit` points; all of them where there are no more.

    The first point of each run of NaN or infinite values is kept as a gap, at most a quarter of `limit`.
    Where `x` goes back, the points are spread evenly by index.
    """
    if len(y) <= limit:
        return np.arange(len(y))
    finite = np.isfinite(y)
    if finite.all():
        return _pick_finite(x, y, limit)
    gaps = _thin(_starts(~finite), limit // 4)
    kept = np.flatnonzero(finite)
    shown = _pick_finite(x[kept], y[kept], limit - len(gaps))
    return np.sort(np.concatenate([kept[shown], gaps]))


def _pick_finite(x: Ints, y: Floats, limit: int) -> Ints:
    """The first, the last, the least and the greatest are among them."""
    if len(y) <= limit:
        return np.arange(len(y))
    shown = _spread(x, y, limit)
    extremes = np.array([y.argmin(), y.argmax()])
    if np.isin(y[extremes], y[shown]).all():
        return shown
    # Of the two extremes of a bucket LTTB keeps the one that turns the line more.
    return np.union1d(_spread(x, y, limit - len(extremes)), extremes)


def _spread(x: Ints, y: Floats, limit: int) -> Ints:
    grows = bool((x[1:] >= x[:-1]).all()) and x[-1] > x[0]
    axes = (np.ascontiguousarray(x), np.ascontiguousarray(y)) if grows else (np.ascontiguousarray(y),)
    return cast("Ints", _downsampler.downsample(*axes, n_out=limit).astype(np.int64))


def _starts(marked: NDArray[np.bool_]) -> Ints:
    """Where each run of marked points begins."""
    before = np.concatenate([[False], marked[:-1]])
    return np.flatnonzero(marked & ~before)


def _thin(indices: Ints, limit: int) -> Ints:
    if len(indices) <= limit:
        return indices
    return indices[np.linspace(0, len(indices) - 1, limit).astype(np.int64)]
