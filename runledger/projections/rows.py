"""Rows in memory: what a batch adds to a table, and the open rows of its histories.

They are written in bulk when the batch is done. Text is stored without NUL characters, which
PostgreSQL cannot hold: a stranger's note must not stop a projection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias, cast

import psycopg
from psycopg import sql
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Executable,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from runledger.projections.errors import MissingRow
from runledger.projections.naming import real_name
from runledger.projections.tables import FOREVER, NAN, Real
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.engine import target_of

Row: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[Any, ...]
Columns: TypeAlias = ReadOnlyColumnCollection[str, Any]
Merged: TypeAlias = Callable[[Columns], Mapping[str, ColumnElement[Any]]]

OWNERS_PER_QUERY = 500

_POSTGRESQL_TYPES: dict[type, str] = {
    BigInteger: "int8",
    Integer: "int4",
    Boolean: "bool",
    Text: "text",
    LargeBinary: "bytea",
    Real: "float8",
}


class Additions:
    """Rows that are added and never change."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.rows: list[Row] = []
        self._blank: Row = dict.fromkeys(table.columns.keys())

    def add(self, **values: Any) -> None:
        self.rows.append(_complete(self._blank, self.table, values))

    def write(self, conn: Connection) -> None:
        insert_rows(conn, self.table, self.rows)


class History:
    """Rows with a validity, at most one of a key open. The first column of the key is the owner."""

    def __init__(self, table: Table, *key: str) -> None:
        self.table = table
        self._key = key
        self._blank: Row = dict.fromkeys(table.columns.keys())
        self._open: dict[Key, Row] = {}
        self._stored: set[Key] = set()
        self._added: list[Row] = []
        self._closed: list[Row] = []

    def load(self, conn: Connection, owners: Collection[str]) -> None:
        """Reads the open rows of `owners`: before the first change, and only once."""
        for row in select_open(conn, self.table, self._key[0], owners):
            key = self._key_of(row)
            self._open[key] = row
            self._stored.add(key)

    def is_open(self, *key: Any) -> bool:
        return _clean_key(key) in self._open

    def current(self, *key: Any) -> Row:
        """The open row of this key. Raises `MissingRow`."""
        try:
            return self._open[_clean_key(key)]
        except KeyError:
            raise MissingRow(self.table.name, key) from None

    def open(self, position: int, /, **values: Any) -> None:
        """Opens a row of a key; one that was open under it is closed."""
        row = _complete(self._blank, self.table, values) | {"valid_from": position, "valid_to": FOREVER}
        key = self._key_of(row)
        if key in self._open:
            self.close(position, *key)
        self._open[key] = row
        self._added.append(row)

    def change(self, position: int, /, *key: Any, **changes: Any) -> None:
        row = self.current(*key)
        if row["valid_from"] == position:
            row.update(_clean(changes))
        else:
            self.open(position, **(row | changes))

    def close(self, position: int, /, *key: Any) -> None:
        row = self.current(*key)
        del self._open[_clean_key(key)]
        row["valid_to"] = position
        if _clean_key(key) in self._stored:
            self._stored.remove(_clean_key(key))
            self._closed.append(row)

    def write(self, conn: Connection) -> None:
        self._write_closed(conn)
        insert_rows(conn, self.table, self._added)

    def _write_closed(self, conn: Connection) -> None:
        if not self._closed:
            return
        names = (*self._key, "valid_from")
        statement = update(self.table).values(valid_to=bindparam("p_valid_to"))
        for name in names:
            statement = statement.where(self.table.c[name] == bindparam(f"p_{name}"))
        rows = [{f"p_{name}": row[name] for name in (*names, "valid_to")} for row in self._closed]
        conn.execute(statement, rows)

    def _key_of(self, row: Row) -> Key:
        return tuple(row[name] for name in self._key)


def select_open(conn: Connection, table: Table, owner: str, owners: Collection[str]) -> Iterator[Row]:
    statement = select(table).where(table.c.valid_to == FOREVER)
    for some in chunks(sorted(owners), OWNERS_PER_QUERY):
        for row in conn.execute(statement.where(table.c[owner].in_(some))).mappings():
            yield dict(row)


def insert_rows(conn: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Inserts complete rows; by COPY on PostgreSQL."""
    if not rows:
        return
    if conn.dialect.name == "postgresql":
        _copy_rows(conn, table, rows)
    else:
        _execute_many(conn, *_inserting_on_sqlite(table), rows)


def merge_rows(
    conn: Connection,
    table: Table,
    rows: Sequence[Row],
    merged: Merged,
) -> None:
    """Inserts complete rows, no two of one key; where the key is there already the two become one.

    `merged` says what becomes of its columns, and is given the columns of the row that comes in addition.
    """
    if not rows:
        return
    if conn.dialect.name == "postgresql":
        # By COPY into a table of the connection's own: arrays as parameters take ten times as long.
        added = _added(table)
        conn.exec_driver_sql(
            f"CREATE TEMP TABLE IF NOT EXISTS {added.name} (LIKE {table.name}) ON COMMIT DELETE ROWS"
        )
        _copy_rows(conn, added, rows)
        conn.execute(_merging_on_postgresql(table, merged))
    else:
        _execute_many(conn, *_merging_on_sqlite(table, merged), rows)


@cache
def _added(table: Table) -> Table:
    return table.to_metadata(MetaData(), name=f"added_{table.name}")


@cache
def _merging_on_postgresql(table: Table, merged: Merged) -> Executable:
    statement = postgresql.insert(table).from_select(table.columns.keys(), select(_added(table)))
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key), set_=dict(merged(statement.excluded))
    )


@cache
def _merging_on_sqlite(table: Table, merged: Merged) -> tuple[Table, str]:
    statement = sqlite.insert(table)
    merging = statement.on_conflict_do_update(
        index_elements=list(table.primary_key), set_=dict(merged(statement.excluded))
    )
    return table, str(merging.compile(dialect=sqlite.dialect(paramstyle="named")))


@cache
def _inserting_on_sqlite(table: Table) -> tuple[Table, str]:
    return table, str(insert(table).compile(dialect=sqlite.dialect(paramstyle="named")))


def _execute_many(conn: Connection, table: Table, statement: str, rows: Sequence[Row]) -> None:
    """On SQLite: handed to the driver at once, where SQLAlchemy would look at every value."""
    reals = [each.name for each in table.columns if isinstance(each.type, Real)]
    conn.exec_driver_sql(statement, [_with_nan_spelled(row, reals) for row in rows])


def _with_nan_spelled(row: Row, reals: Sequence[str]) -> Row:
    nan = {name: NAN for name in reals if row[name] is not None and math.isnan(row[name])}
    return row | nan if nan else row


def chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _copy_rows(conn: Connection, table: Table, rows: Sequence[Row]) -> None:
    names = [column.name for column in table.columns]
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(real_name(conn, table.name)), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    types = [_POSTGRESQL_TYPES[type(column.type)] for column in table.columns]
    driver = cast("psycopg.Connection", conn.connection.driver_connection)
    try:
        with driver.cursor() as cursor, cursor.copy(command) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row([row[name] for name in names])
    except (psycopg.OperationalError, psycopg.InterfaceError) as problem:
        raise StoreUnavailable(target_of(conn.engine), str(problem).strip()) from problem


def _complete(blank: Row, table: Table, values: Row) -> Row:
    """All columns of the table, those that were not given as NULL."""
    row = blank | values
    if len(row) != len(blank):
        raise KeyError(f"{table.name} has no {sorted(row.keys() - blank.keys())}")
    return _clean(row)


def _clean(values: Row) -> Row:
    for name, value in values.items():
        if type(value) is str and "\0" in value:
            values[name] = _clean_value(value)
    return values


def _clean_key(key: Key) -> Key:
    return tuple(_clean_value(value) for value in key)


def _clean_value(value: Any) -> Any:
    return clean_text(value) if isinstance(value, str) else value


def clean_text(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text
