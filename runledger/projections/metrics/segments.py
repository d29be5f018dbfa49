"""Rows of points: a whole block cut into segments, and batches that still lie as they came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

from runledger.projections.metrics.points import Batch, Points
from runledger.projections.metrics.tables import SEGMENT_POINTS
from runledger.projections.rows import Row
from runledger.tracker import events
from runledger.tracker.events.telemetry import MetricsRecorded

_COLUMNS = (
    ("step", "<i8"),
    ("time", "<i8"),
    ("value", "<f8"),
    ("place", "<u4"),
    ("key", "<u4"),
    ("batch", "<u1"),
)
_keys = msgspec.msgpack.Decoder(tuple[str, ...])


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """Raw little-endian columns, one after the other, and of the block's batches versions and positions."""

    count: int
    versions: bytes
    positions: bytes
    columns: bytes


_packed = msgspec.msgpack.Decoder(_Packed)


def segment_rows(run_id: str, attempt: int, block: int, points: Points) -> Iterator[Row]:
    """The rows of one whole block; the same batches give the same rows."""
    for place, start in enumerate(range(0, len(points), SEGMENT_POINTS)):
        part = points.between(start, start + SEGMENT_POINTS)
        yield {
            "run_id": run_id,
            "attempt": attempt,
            "block": block,
            "place": place,
            "first_key": part.keys[0],
            "last_key": part.keys[-1],
            "keys": msgspec.msgpack.encode(part.keys),
            "points": pack(part),
        }


def batch_row(run_id: str, attempt: int, batch: Batch) -> Row:
    return {
        "run_id": run_id,
        "attempt": attempt,
        "version": batch.version,
        "position": batch.position,
        "payload": events.encode(batch.event),
    }


def pack(points: Points) -> bytes:
    """All but the keys."""
    columns = b"".join(getattr(points, name).astype(dtype).tobytes() for name, dtype in _COLUMNS)
    return msgspec.msgpack.encode(
        _Packed(len(points), points.versions.tobytes(), points.positions.tobytes(), columns)
    )


def unpack(row: Mapping[str, Any]) -> Points:
    packed = _packed.decode(row["points"])
    columns: dict[str, Any] = {}
    at = 0
    for name, dtype in _COLUMNS:
        columns[name] = np.frombuffer(packed.columns, dtype, packed.count, at)
        at += columns[name].nbytes
    return Points(
        keys=_keys.decode(row["keys"]),
        versions=np.frombuffer(packed.versions, "<i8"),
        positions=np.frombuffer(packed.positions, "<i8"),
        **columns,
    )


def batch_of(row: Mapping[str, Any]) -> Batch:
    event = events.decode(MetricsRecorded.tag, MetricsRecorded.schema, row["payload"])
    assert isinstance(event, MetricsRecorded)
    return Batch(row["version"], row["position"], event)
