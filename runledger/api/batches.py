"""A batch of points as the door takes it, in three forms, and as the one event that each becomes.

MessagePack columns are raw little-endian arrays and pass through as they are. JSON has columns of numbers
or rows. Whatever the form, the same points give the same event.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Literal, TypeAlias, cast

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType

from runledger.api.answers import Number
from runledger.api.errors import Fault, Invalid
from runledger.api.requests import Body
from runledger.tracker.events.telemetry import MAX_POINTS, MetricsRecorded
from runledger.tracker.points import CONTROL

JSON = "application/json"
MSGPACK = "application/msgpack"
LONGEST_KEY = 250
"""MLflow takes no longer one."""
LAST_BATCH = 2**62

_MICROS = "µs since 1970 UTC, by the clock of whoever measured."

BatchNumber: TypeAlias = Annotated[int, Meta(ge=1, le=LAST_BATCH, description="Counts from 1, without gaps.")]
Version: TypeAlias = Annotated[
    int, Meta(ge=0, le=LAST_BATCH, description="Of the attempt's telemetry before this batch.")
]
Integers: TypeAlias = Annotated[list[int], Meta(max_length=MAX_POINTS)]


class MetricRow(Body, frozen=True, kw_only=True, gc=False):
    """One point."""

    key: str
    step: int
    value: Number
    time: Annotated[int, Meta(description=_MICROS)] | None = None
    """None: when the batch arrived."""


class MetricsBody(Body, frozen=True, kw_only=True):
    """A batch in JSON: `points`, or the five columns, which have one entry a point but for `keys`."""

    batch: BatchNumber
    version: Version | None = None
    points: Annotated[list[MetricRow], Meta(max_length=MAX_POINTS)] | UnsetType = UNSET
    keys: list[str] | UnsetType = UNSET
    key_index: Annotated[Integers, Meta(description="Which of `keys`, from 0.")] | UnsetType = UNSET
    step: Integers | UnsetType = UNSET
    time: Annotated[Integers, Meta(description=_MICROS)] | UnsetType = UNSET
    value: Annotated[list[Number], Meta(max_length=MAX_POINTS)] | UnsetType = UNSET


class MetricsColumns(Body, frozen=True, kw_only=True):
    """A batch in MessagePack: the columns as raw little-endian arrays."""

    batch: BatchNumber
    version: Version | None = None
    keys: tuple[str, ...]
    key_index: bytes
    """uint16."""
    step: bytes
    """int64."""
    time: bytes
    """int64, µs since 1970 UTC."""
    value: bytes
    """float64."""


class Batch(msgspec.Struct, frozen=True):
    """What was sent, checked: ready for the log."""

    number: int
    version: int | None
    """That the sender expects the telemetry to be at."""
    event: MetricsRecorded


_json = msgspec.json.Decoder(MetricsBody)
_msgpack = msgspec.msgpack.Decoder(MetricsColumns)


def read(media_type: str, body: bytes, now_micros: Callable[[], int]) -> Batch:
    """Raises msgspec's errors and `Invalid`, which name the fault."""
    if media_type == MSGPACK:
        columns = _msgpack.decode(body)
        event = MetricsRecorded(
            keys=columns.keys,
            key_index=columns.key_index,
            step=columns.step,
            time=columns.time,
            value=columns.value,
        )
        _check_columns(event)
        return Batch(columns.batch, columns.version, event)
    return _read_json(body, now_micros)


def _read_json(body: bytes, now_micros: Callable[[], int]) -> Batch:
    sent = _json.decode(body)
    columns = (sent.keys, sent.key_index, sent.step, sent.time, sent.value)
    if sent.points is not UNSET:
        if any(column is not UNSET for column in columns):
            raise Invalid([Fault("$", "`points` and columns exclude each other")])
        event = _of_rows(sent.points, now_micros)
    else:
        event = _of_columns(sent)
    _check_columns(event)
    return Batch(sent.batch, sent.version, event)


def _of_rows(rows: Sequence[MetricRow], now_micros: Callable[[], int]) -> MetricsRecorded:
    """Keys in the order in which they first come."""
    keys: dict[str, int] = {}
    index = [keys.setdefault(row.key, len(keys)) for row in rows]
    times = [row.time for row in rows]
    now = now_micros() if None in times else 0
    return MetricsRecorded(
        keys=tuple(keys),
        key_index=_packed("H", index, "$.points"),
        step=_packed("q", (row.step for row in rows), "$.points[].step"),
        time=_packed("q", (now if time is None else time for time in times), "$.points[].time"),
        value=_floats([row.value for row in rows]),
    )


def _of_columns(sent: MetricsBody) -> MetricsRecorded:
    if (
        sent.keys is UNSET
        or sent.key_index is UNSET
        or sent.step is UNSET
        or sent.time is UNSET
        or sent.value is UNSET
    ):
        raise Invalid([Fault("$", "needs `points`, or `keys`, `key_index`, `step`, `time` and `value`")])
    return MetricsRecorded(
        keys=tuple(sent.keys),
        key_index=_packed("H", sent.key_index, "$.key_index"),
        step=_packed("q", sent.step, "$.step"),
        time=_packed("q", sent.time, "$.time"),
        value=_floats(sent.value),
    )


def _packed(code: Literal["H", "q"], numbers: Iterable[int], place: str) -> bytes:
    try:
        column = array(code, numbers)
    except (OverflowError, TypeError):
        bits = "16 bits without a sign" if code == "H" else "64 bits"
        raise Invalid([Fault(place, f"a number does not fit into {bits}")]) from None
    return _little_endian(column)


def _floats(numbers: Sequence[Number]) -> bytes:
    try:
        return _little_endian(array("d", cast("Sequence[float]", numbers)))
    except TypeError:
        return _little_endian(array("d", map(float, numbers)))


def _little_endian(column: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def _check_columns(event: MetricsRecorded) -> None:
    """Raises `Invalid` for columns that do not fit together, too many points, none, or a bad key."""
    _check_keys(event.keys)
    count, rest = divmod(len(event.key_index), 2)
    if rest or not 8 * count == len(event.step) == len(event.time) == len(event.value):
        raise Invalid([Fault("$", f"the columns do not have the same number of points: {_lengths(event)}")])
    if not 1 <= count <= MAX_POINTS:
        raise Invalid([Fault("$", f"{count} points, where 1 to {MAX_POINTS} are taken")])
    last = int(np.frombuffer(event.key_index, "<u2").max())
    if last >= len(event.keys):
        raise Invalid([Fault("$.key_index", f"{last} is none of the {len(event.keys)} keys")])


def _check_keys(keys: Sequence[str]) -> None:
    if len(keys) > MAX_POINTS:
        raise Invalid([Fault("$.keys", f"{len(keys)} keys, where a batch has at most {MAX_POINTS}")])
    if "" in keys:
        raise Invalid([Fault("$.keys", "a key is empty")])
    longest = max(keys, key=len, default="")
    if len(longest) > LONGEST_KEY:
        raise Invalid([Fault("$.keys", f"{longest[:40]!r}… is longer than {LONGEST_KEY} characters")])
    if not "".join(keys).isprintable() and any(map(CONTROL.search, keys)):
        bad = next(key for key in keys if CONTROL.search(key))
        raise Invalid([Fault("$.keys", f"{bad!r} has a control character in it")])
    if len(set(keys)) < len(keys):
        raise Invalid([Fault("$.keys", "a key is named twice")])


def _lengths(event: MetricsRecorded) -> str:
    found = {
        "key_index": len(event.key_index) / 2,
        "step": len(event.step) / 8,
        "time": len(event.time) / 8,
        "value": len(event.value) / 8,
    }
    return ", ".join(f"{name} {count:g}" for name, count in found.items())
