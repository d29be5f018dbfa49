"""What the plain names of tables stand for on a connection: those of a later build bear its number.

Statements are always written with the plain names (`run_states_v1`); a connection that `use_names` was
called on means other tables by them (`run_states_v1_b2`), until it is closed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import Connection, event

Names: TypeAlias = tuple[tuple[str, str], ...]
"""Plain names of tables and cursors, and what they stand for."""

OPTION = "runledger_tables"


def name_of(table: str, build: int) -> str:
    return f"{table}_b{build}" if build else table


def use_names(conn: Connection, names: Names) -> None:
    if names and not event.contains(conn.engine, "before_cursor_execute", _rename):
        event.listen(conn.engine, "before_cursor_execute", _rename, retval=True)
    conn.execution_options(**{OPTION: names})


def real_name(conn: Connection, name: str) -> str:
    """For what the driver is told directly, and for cursors, whose names are values."""
    return dict(_names(conn)).get(name, name)


def _rename(
    conn: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> tuple[str, Any]:
    names = _names(conn)
    return (_renamed(statement, names) if names else statement), parameters


def _names(conn: Connection) -> Names:
    names: Names = conn.get_execution_options().get(OPTION, ())
    return names


@lru_cache(maxsize=1_024)
def _renamed(statement: str, names: Names) -> str:
    """Values are parameters, so such a name is a table's; those of indexes go on with a `_`."""
    meant = dict(names)
    return _pattern(names).sub(lambda found: meant[found[0]], statement)


@lru_cache(maxsize=64)
def _pattern(names: Names) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(re.escape(plain) for plain, _ in names) + r")\b")
