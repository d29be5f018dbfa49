"""Asking a table with validities: now or as of a position, newest first and page by page."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, and_

from runledger.projections.rows import Row
from runledger.projections.tables import FOREVER


def holds(table: Table, as_of: int | None) -> ColumnElement[bool]:
    """The rows that hold now, or that held when the log stood at position `as_of`."""
    if as_of is None:
        return table.c.valid_to == FOREVER
    return and_(table.c.valid_from <= as_of, table.c.valid_to > as_of)


def read_page(
    conn: Connection, query: Select[Any], key: Column[int], limit: int, after: int | None
) -> tuple[list[Row], int | None]:
    """At most `limit` rows behind the key `after`, the greatest first, and the key to go on from."""
    if after is not None:
        query = query.where(key < after)
    query = query.order_by(key.desc()).limit(limit + 1)
    rows = [dict(row) for row in conn.execute(query).mappings()]
    shown = rows[:limit]
    return shown, shown[-1][key.name] if len(rows) > limit else None
