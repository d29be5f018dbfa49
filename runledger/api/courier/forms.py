"""A batch of points as the bytes of a request: columns in MessagePack, which the courier sends, or JSON.

JSON has no NaN and no infinity: there they are strings, as everywhere in the API.
"""

from __future__ import annotations

import math
import sys
from array import array
from typing import Literal, TypeAlias

import msgspec

from runledger.api.answers import Number
from runledger.tracker.events.telemetry import MetricsRecorded

Form: TypeAlias = Literal["columns", "json-columns", "json-rows"]

MEDIA_TYPES: dict[Form, str] = {
    "columns": "application/msgpack",
    "json-columns": "application/json",
    "json-rows": "application/json",
}


class Batch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What each form has."""

    batch: int
    version: int | None = None


class Columns(Batch, frozen=True, kw_only=True):
    """Raw little-endian arrays: uint16, int64, int64 (µs since 1970) and float64."""

    keys: tuple[str, ...]
    key_index: bytes
    step: bytes
    time: bytes
    value: bytes


class JsonColumns(Batch, frozen=True, kw_only=True):
    """The same as numbers; a place of `key_index` counts from 0 in `keys`, `time` is in µs since 1970."""

    keys: tuple[str, ...]
    key_index: list[int]
    step: list[int]
    time: list[int]
    value: list[Number]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    step: int
    value: Number
    time: int
    """µs since 1970."""


class JsonRows(Batch, frozen=True, kw_only=True):
    points: list[Row]


_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()


def encode(form: Form, points: MetricsRecorded, batch: int, version: int | None = None) -> bytes:
    """`version` is the one that the stream is expected to be at; None: the server looks."""
    match form:
        case "columns":
            return _msgpack.encode(
                Columns(
                    batch=batch,
                    version=version,
                    keys=points.keys,
                    key_index=points.key_index,
                    step=points.step,
                    time=points.time,
                    value=points.value,
                )
            )
        case "json-columns":
            return _json.encode(_json_columns(points, batch, version))
        case "json-rows":
            return _json.encode(_json_rows(points, batch, version))


def _json_columns(points: MetricsRecorded, batch: int, version: int | None) -> JsonColumns:
    return JsonColumns(
        batch=batch,
        version=version,
        keys=points.keys,
        key_index=_integers("H", points.key_index),
        step=_integers("q", points.step),
        time=_integers("q", points.time),
        value=_numbers(points.value),
    )


def _json_rows(points: MetricsRecorded, batch: int, version: int | None) -> JsonRows:
    columns = zip(
        _integers("H", points.key_index),
        _integers("q", points.step),
        _numbers(points.value),
        _integers("q", points.time),
        strict=True,
    )
    rows = [Row(key=points.keys[at], step=step, value=value, time=time) for at, step, value, time in columns]
    return JsonRows(batch=batch, version=version, points=rows)


def _integers(code: Literal["H", "q"], column: bytes) -> list[int]:
    found = array(code, column)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tolist()


def _numbers(column: bytes) -> list[Number]:
    found = array("d", column)
    if sys.byteorder == "big":
        found.byteswap()
    return [spelt(each) for each in found]


def spelt(number: float) -> Number:
    """As JSON takes it."""
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"
