"""The metadata of the `views` database and the columns that its tables share.

Every table of a projection bears the version of its schema in its name (`run_states_v1`), so that a
new version grows beside the old one. Times are µs since 1970 UTC; structured values are MessagePack,
which keeps what JSON would lose. A row of history is valid from a position up to, not including,
another; `FOREVER` marks the one that holds now. Tables are made by `migrations.views` only.
"""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, Table, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

views = MetaData()

FOREVER = 2**63 - 1
"""`valid_to` of the row that holds now."""


NAN = "nan"
"""What stands for NaN in a float column of SQLite."""


class _SqliteReal(UserDefinedType[Any]):
    """A float column that takes what it is given: SQLAlchemy's own would make a float of the text again."""

    cache_ok = True

    def get_col_spec(self, **options: Any) -> str:
        return "DOUBLE"


class Real(TypeDecorator[float]):
    """A float64 that keeps NaN on SQLite too, where a bound NaN would become NULL.

    There it is the text `nan`, which sorts after every number: PostgreSQL sorts NaN likewise.
    """

    impl = Double
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return _SqliteReal() if dialect.name == "sqlite" else dialect.type_descriptor(Double())

    def process_bind_param(self, value: float | None, dialect: Dialect) -> Any:
        if value is not None and dialect.name == "sqlite" and math.isnan(value):
            return NAN
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> float | None:
        return math.nan if value == NAN else value


def cursor_of(projection: str, version: int, build: int = 0) -> str:
    """The name under which a version of a projection, or a later build of it, keeps its place in the log."""
    return f"{projection}@{version}.{build}" if build else f"{projection}@{version}"


def valid_from() -> Column[int]:
    return Column("valid_from", BigInteger, primary_key=True, autoincrement=False)


def valid_to() -> Column[int]:
    return Column("valid_to", BigInteger, nullable=False)


cursors = Table(
    "cursors",
    views,
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

activations = Table(
    "activations",
    views,
    Column("projection", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("build", Integer, nullable=False, server_default="0"),
)
"""Which version of a projection answers questions, and with which build of its tables (`builds`)."""

builds = Table(
    "builds",
    views,
    Column("projection", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("build", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("tables", Text, nullable=False),
)
"""Builds that do not answer: `growing` ones, and `retired` ones whose tables are still to be dropped.

`code` is the digest of the code that folds a growing one, which other code does not go on with; `tables` are
its tables, with a space between them: later code may not know them any more.
"""

stoppages = Table(
    "stoppages",
    views,
    Column("cursor", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
)
"""Which projection stopped before which event, and why. The row goes when the event has been applied."""
