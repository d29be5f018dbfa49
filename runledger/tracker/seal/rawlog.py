"""The rows of the log as the driver gives them, page by page, whatever they hold.

By ranges of positions rather than by count: so a position that is there twice is seen, wherever pages end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from runledger.tracker.seal.rowcheck import LogRow
from runledger.tracker.store.engine import is_postgresql, read
from runledger.tracker.store.tables import events

PAGE_EVENTS = 1_000
PAGE_LEAVES = 10_000

_COLUMNS = ", ".join(column.name for column in events.columns)
_RANGE = "WHERE position > {0} AND position <= {0} ORDER BY position"
_PAGE = f"SELECT {_COLUMNS} FROM events {_RANGE}"  # noqa: S608 - the names are ours
_LEAVES = f"SELECT position, recorded_at, hash FROM events {_RANGE}"  # noqa: S608
_ON = "WHERE stream = {0} AND version > {0} ORDER BY version LIMIT {0}"
_STREAM = f"SELECT {_COLUMNS} FROM events {_ON}"  # noqa: S608
_TIP = "SELECT version, hash FROM events WHERE stream = {0} AND position < {0} ORDER BY version DESC LIMIT 1"
_STREAMS = "SELECT DISTINCT stream FROM events WHERE stream >= {0} AND stream < {0} ORDER BY stream"
# The last position first: what is appended meanwhile is behind the head that is read after it.
_ENDS = "SELECT (SELECT max(position) FROM events), head.position, head.recorded_at FROM head"


class LeafRow(NamedTuple):
    """Of a row what its leaf covers."""

    position: Any
    recorded_at: Any
    hash: Any


class RawLog:
    """Reads by statements of its own: anything may stand in a column, of any type."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._place = "%s" if is_postgresql(engine) else "?"

    def pages(self, after: int, until: int) -> Iterator[tuple[Iterable[LogRow], int]]:
        """What lies behind `after` up to `until`, with the end of each page; also empty pages."""
        while after < until:
            end = min(after + PAGE_EVENTS, until)
            yield map(LogRow._make, self._fetch(_PAGE, (after, end))), end
            after = end

    def leaf_pages(self, after: int, until: int) -> Iterator[tuple[Iterable[LeafRow], int]]:
        """The same of what leaves are made of."""
        while after < until:
            end = min(after + PAGE_LEAVES, until)
            yield map(LeafRow._make, self._fetch(_LEAVES, (after, end))), end
            after = end

    def stream(self, stream: str) -> Iterator[LogRow]:
        """All of a stream's rows, by their versions."""
        version = 0
        while rows := self._fetch(_STREAM, (stream, version, PAGE_EVENTS)):
            yield from map(LogRow._make, rows)
            version = rows[-1][2]

    def streams_between(self, first: str, end: str) -> list[str]:
        """Names of streams from `first` up to, not including, `end`, by their bytes."""
        return [row[0] for row in self._fetch(_STREAMS, (first, end))]

    def tip(self, stream: str, before: int) -> tuple[int, bytes] | None:
        """Version and hash of the stream's last event before a position."""
        rows = self._fetch(_TIP, (stream, before))
        return (rows[0][0], rows[0][1]) if rows else None

    def ends(self) -> tuple[int, int, int]:
        """The last position that is there, the head's, and the head's time."""
        with read(self.engine) as conn:
            last, position, recorded_at = conn.exec_driver_sql(_ENDS).one()
        return last or 0, position, recorded_at

    def _fetch(self, statement: str, parameters: tuple[Any, ...]) -> Sequence[Sequence[Any]]:
        return fetch_raw(self.engine, statement.format(self._place), parameters)


def fetch_raw(engine: Engine, statement: str, parameters: tuple[Any, ...] = ()) -> Sequence[Sequence[Any]]:
    """Rows as the driver gives them; texts that are none have surrogates in the place of their bytes."""
    try:
        with read(engine) as conn:
            return conn.exec_driver_sql(statement, parameters).all()
    except OperationalError as problem:
        if "decode" not in str(problem.orig):
            raise
    with read(engine) as conn:
        return _fetch_any_text(conn, statement, parameters)


def _fetch_any_text(conn: Connection, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
    """On SQLite a text may hold any bytes at all."""
    connection: Any = conn.connection.dbapi_connection
    usual = connection.text_factory
    connection.text_factory = lambda content: content.decode(errors="surrogateescape")
    try:
        rows: list[Any] = connection.execute(statement, parameters).fetchall()
    finally:
        connection.text_factory = usual
    return rows
