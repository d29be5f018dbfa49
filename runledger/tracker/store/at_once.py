"""Appends the fast way: all of them or nothing, and no word about the reason.

On PostgreSQL one statement in one round trip. On SQLite a few inside the transaction that the caller has
begun, whose lock is the only one there is, so that the checks stand until the commit. The head row is the
last to be locked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import Any
from uuid import UUID

from runledger.tracker.store import arrays
from runledger.tracker.store.appends import Row, Tip
from runledger.tracker.store.direct import DRIVER_ERRORS, Direct
from runledger.tracker.store.statements import (
    HELD,
    INSERT_AT_ONCE,
    INSERT_ONE,
    IS_THERE,
    MOVE_HEAD,
    TIP,
    TIPS_AT_ONCE,
)

Places = Sequence[tuple[str, int]]
Ends = Sequence[tuple[str, int, bytes]]
"""Stream, version and hash."""


def tips_of(direct: Direct, streams: Collection[str]) -> dict[str, Tip]:
    """The end of each of the streams that have events."""
    if direct.is_postgresql:
        rows = direct.fetch(TIPS_AT_ONCE, (arrays.of_texts(sorted(streams)),))
        return {stream: Tip(*tip) for stream, *tip in rows}
    found = ((stream, direct.fetch(TIP, (stream,))) for stream in streams)
    return {stream: tip_of(*rows[0]) for stream, rows in found if rows}


def tip_of(version: int, digest: bytes, event_id: str) -> Tip:
    """As SQLite keeps it."""
    return Tip(version, digest, UUID(event_id))


def insert_at_once(direct: Direct, fences: Places, before: Ends, rows: Sequence[Row]) -> int | None:
    """Insert all rows after the fences, and the ends of the streams `before`, were checked.

    The position before the first row; None where a check failed and nothing was inserted. A conflict is the
    driver's IntegrityError.
    """
    if direct.is_postgresql:
        answer = direct.fetch(INSERT_AT_ONCE, parameters_at_once(fences, before, rows))
        return answer[0][0] if answer else None
    try:
        return _insert_in_turn(direct.cursor, fences, before, rows)
    except DRIVER_ERRORS as problem:
        raise direct.translated(problem) from problem


def _insert_in_turn(cursor: sqlite3.Cursor, fences: Places, before: Ends, rows: Sequence[Row]) -> int | None:
    execute = cursor.execute
    for fence in fences:
        if not execute(HELD, fence).fetchall():
            return None
    for end in before:
        if not execute(IS_THERE, end).fetchall():
            return None
    last: int = execute(MOVE_HEAD, (len(rows),)).fetchall()[0][0]
    cursor.executemany(INSERT_ONE, parameters_in_turn(rows))
    return last - len(rows)


def parameters_in_turn(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """For `INSERT_ONE`. SQLite keeps ids as text."""
    return [
        (place, *row[:2], f"{row[2].int:032x}", *row[3:]) for place, row in enumerate(rows, 1 - len(rows))
    ]


def parameters_at_once(fences: Places, before: Ends, rows: Sequence[Row]) -> tuple[Any, ...]:
    """For `INSERT_AT_ONCE`: an array for each column."""
    columns = zip(*rows, strict=True)
    return (
        arrays.of_texts([stream for stream, _ in fences]),
        arrays.of_ints([epoch for _, epoch in fences]),
        arrays.of_texts([stream for stream, _, _ in before]),
        arrays.of_ints([version for _, version, _ in before]),
        arrays.of_bytes([digest for _, _, digest in before]),
        len(rows),
        len(fences),
        len(before),
        len(rows),
        *(of(column) for of, column in zip(COLUMNS, columns, strict=True)),
    )


COLUMNS: tuple[Callable[[Any], arrays.Column], ...] = (
    arrays.of_texts,  # stream
    arrays.of_ints,  # version
    arrays.of_uuids,  # event_id
    arrays.of_texts,  # type
    arrays.of_small_ints,  # schema
    arrays.of_ints,  # occurred_at
    arrays.of_texts,  # actor
    arrays.of_texts,  # correlation_id
    arrays.of_texts,  # causation_id
    arrays.of_bytes,  # prev_hash
    arrays.of_bytes,  # hash
    arrays.of_bytes,  # payload
)
"""How each field of a row goes to PostgreSQL."""
