"""PostgreSQL's binary arrays, laid out by us: psycopg builds them element by element in Python.

A `Column` is a parameter like any other. It says nothing of its type, so the statement has to (`%b::text[]`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

BYTES, INT8, INT4, TEXT, UUIDS = 17, 20, 23, 25, 2950
"""The types of elements, by PostgreSQL's own numbers."""

_HEAD = struct.Struct(">iiiii")
_EMPTY = struct.Struct(">iii")
_LENGTH = struct.Struct(">i").pack
_NULL = _LENGTH(-1)


class Column(bytes):
    """An array as PostgreSQL takes it."""


class ColumnDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Column) -> bytes:
        return obj


def take_columns(connection: Connection[Any]) -> None:
    """Let `Column` be a parameter on this connection."""
    connection.adapters.register_dumper(Column, ColumnDumper)


def of_ints(values: Sequence[int]) -> Column:
    """bigint[]."""
    return _of_numbers(INT8, 8, "q", values)


def of_small_ints(values: Sequence[int]) -> Column:
    """int[]."""
    return _of_numbers(INT4, 4, "i", values)


def of_texts(values: Sequence[str | None]) -> Column:
    """text[]. Most columns hold one text many times over."""
    if values and values.count(values[0]) == len(values):
        return _repeated(TEXT, values[0], len(values))
    return _of_bytes(TEXT, [None if value is None else value.encode() for value in values])


def of_bytes(values: Sequence[bytes]) -> Column:
    """bytea[]."""
    return _of_bytes(BYTES, values)


def of_uuids(values: Iterable[UUID]) -> Column:
    """uuid[]."""
    return _of_bytes(UUIDS, [value.bytes for value in values])


def _of_numbers(kind: int, size: int, letter: str, values: Sequence[int]) -> Column:
    if not values:
        return Column(_EMPTY.pack(0, 0, kind))
    laid_out = [size] * (2 * len(values))
    laid_out[1::2] = values
    elements = struct.pack(">" + f"i{letter}" * len(values), *laid_out)
    return Column(_HEAD.pack(1, 0, kind, len(values), 1) + elements)


def _of_bytes(kind: int, values: Sequence[bytes | None]) -> Column:
    if not values:
        return Column(_EMPTY.pack(0, 0, kind))
    parts = [_HEAD.pack(1, int(None in values), kind, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts += (_LENGTH(len(value)), value)
    return Column(b"".join(parts))


def _repeated(kind: int, value: str | None, count: int) -> Column:
    head = _HEAD.pack(1, int(value is None), kind, count, 1)
    if value is None:
        return Column(head + _NULL * count)
    encoded = value.encode()
    return Column(head + (_LENGTH(len(encoded)) + encoded) * count)
