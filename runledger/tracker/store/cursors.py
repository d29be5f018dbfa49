"""Cursors: how far a consumer of the log has come, moved by compare-and-set.

A table of the same two columns exists in the ledger and in the views; a cursor moves in the transaction
of the work that it accounts for, so two consumers of one name cannot both advance.
"""

from __future__ import annotations

from sqlalchemy import Connection, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from runledger.tracker.errors import CursorMoved


def read_cursor(conn: Connection, table: Table, name: str) -> int:
    """The last position that was dealt with; 0 for a consumer that has not begun."""
    position = conn.scalar(select(table.c.position).where(table.c.name == name))
    return 0 if position is None else int(position)


def advance(conn: Connection, table: Table, name: str, expected: int, to: int) -> None:
    """Move from `expected` to `to`. Raises `CursorMoved` where another consumer has moved it meanwhile."""
    if to < expected:
        raise ValueError(f"cursor {name} cannot go back from {expected} to {to}")
    moved = conn.execute(
        update(table).where(table.c.name == name, table.c.position == expected).values(position=to)
    )
    if moved.rowcount == 1:
        return
    if expected != 0 or not _begin(conn, table, name, to):
        raise CursorMoved(name, expected)


def _begin(conn: Connection, table: Table, name: str, to: int) -> bool:
    try:
        with conn.begin_nested():
            conn.execute(insert(table).values(name=name, position=to))
    except IntegrityError:
        return False
    return True
