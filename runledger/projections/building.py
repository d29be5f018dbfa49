"""The tables of a build: made beside those that answer, given their indexes when they are full, dropped.

They are what the migrations made, under other names. Only primary keys and what must be unique are there
from the start: a fold finds its rows by them.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, MetaData, Table, text
from sqlalchemy.schema import CreateTable, Index, UniqueConstraint

from runledger.projections.naming import name_of, real_name, use_names
from runledger.projections.projection import Projection


def table_names(projection: Projection, build: int) -> list[str]:
    return [name_of(table.name, build) for table in projection.tables]


def make_tables(conn: Connection, projection: Projection, build: int) -> None:
    """Empty ones. On PostgreSQL they are made like those that `conn` means: of the build that answers."""
    for table in projection.tables:
        if conn.dialect.name == "postgresql":
            _make_alike(conn, table, build)
        else:
            conn.execute(CreateTable(table.to_metadata(MetaData(), name=name_of(table.name, build))))


def add_indexes(conn: Connection, table: Table, build: int) -> None:
    """Those that are not there yet; then the planner is told what the table holds."""
    for index in _indexes(table):
        columns = ", ".join(column.name for column in index.columns)
        conn.exec_driver_sql(
            f"CREATE INDEX IF NOT EXISTS {index.name}_b{build} ON {name_of(table.name, build)} ({columns})"
        )
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(f"ANALYZE {name_of(table.name, build)}")


def drop_tables(conn: Connection, names: Iterable[str]) -> None:
    """Of these very names, whatever they stand for on the connection."""
    use_names(conn, ())
    for name in names:
        conn.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")


def _make_alike(conn: Connection, table: Table, build: int) -> None:
    """With how its columns are stored and who may use it, which the metadata does not say."""
    name = name_of(table.name, build)
    conn.exec_driver_sql(f"CREATE TABLE {name} (LIKE {table.name} INCLUDING ALL EXCLUDING INDEXES)")
    keys = [("PRIMARY KEY", table.primary_key.columns.keys())]
    keys += [("UNIQUE", each.columns.keys()) for each in table.constraints if type(each) is UniqueConstraint]
    for kind, columns in keys:
        conn.exec_driver_sql(f"ALTER TABLE {name} ADD {kind} ({', '.join(columns)})")
    for grantee, privileges in conn.execute(_GRANTS, {"name": real_name(conn, table.name)}):
        conn.exec_driver_sql(f'GRANT {privileges} ON {name} TO "{grantee}"')


_GRANTS = text(
    "SELECT grantee, string_agg(privilege_type, ', ') FROM information_schema.role_table_grants"
    " WHERE table_schema = current_schema() AND table_name = :name AND grantee <> current_user GROUP BY 1"
)


def _indexes(table: Table) -> list[Index]:
    return sorted(table.indexes, key=lambda index: str(index.name))
