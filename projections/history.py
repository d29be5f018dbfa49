"""Asking a table with validities: now, or as of a position."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, and_

from projections.tables import FOREVER


def holds(table: Table, as_of: int | None) -> ColumnElement[bool]:
    """The rows that hold now, or that held when the log stood at position `as_of`."""
    if as_of is None:
        return table.c.valid_to == FOREVER
    return and_(table.c.valid_from <= as_of, table.c.valid_to > as_of)
