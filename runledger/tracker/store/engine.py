"""Engines for the two databases, with the settings that their guarantees rest on.

SQLite: WAL, the ledger with `synchronous=FULL`, and every write transaction IMMEDIATE (a deferred one
fails at once when it upgrades): write through `write` only. PostgreSQL: psycopg 3, READ COMMITTED, one
schema per side through `search_path`. A database that cannot be reached or written is `StoreUnavailable`
with the name of the target, soon: connecting and waiting for locks are bounded.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import ArgumentError, TimeoutError

from runledger.tracker.errors import StoreUnavailable

LEDGER = "ledger"
VIEWS = "views"

BUSY_SECONDS = 10
"""How long a statement waits for a lock that another process holds."""
ASK_MILLISECONDS = 10
"""How long SQLite asks for the write lock by itself, at 1, 2, 5 … ms, before we let it begin anew."""
CONNECT_SECONDS = 5
IDLE_SECONDS = 60
"""A process that was stopped inside a transaction holds up the others no longer than this."""
KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}

# Primary result codes of SQLite that tell of the file or the disk, not of the statement.
UNAVAILABLE_CODES = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)

# Also what a role has not been granted: that is mended from outside.
POSTGRESQL_OUTAGES = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.InsufficientPrivilege,
)


def open_ledger(url: str) -> Engine:
    """The log and the rows around it. Connects to nothing yet."""
    return _open(url, LEDGER)


def open_views(url: str) -> Engine:
    """The read models. Nothing is prepared there: generic plans made small upserts five times slower."""
    return _open(url, VIEWS, prepare_threshold=None)


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """One write transaction: committed at the end of the block, rolled back on any exception."""
    with connect(engine).execution_options(runledger_write=True) as conn, conn.begin():
        yield conn


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """Reads without a transaction of their own on PostgreSQL: a round trip each, and no common snapshot."""
    with connect(engine) as conn:
        yield conn.execution_options(isolation_level="AUTOCOMMIT") if is_postgresql(engine) else conn


def connect(engine: Engine) -> Connection:
    """A connection of the pool. Raises `StoreUnavailable`, also where none becomes free in time."""
    try:
        return engine.connect()
    except TimeoutError as problem:
        raise StoreUnavailable(target_of(engine), "all connections are in use") from problem


def is_postgresql(engine: Engine) -> bool:
    return engine.dialect.name == "postgresql"


def side_of(engine: Engine) -> str:
    """`ledger` or `views`: which of the two this engine was opened as."""
    side: str = engine.get_execution_options()["runledger_side"]
    return side


def target_of(engine: Engine) -> str:
    """The database's address for messages, without its password."""
    return engine.url.render_as_string(hide_password=True)


def _open(url: str, side: str, **connect_args: Any) -> Engine:
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        engine = _open_sqlite(parsed, side)
    else:
        engine = _open_postgresql(parsed, side, connect_args)
    event.listen(engine, "handle_error", _namer(target_of(engine)))
    return engine


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as problem:
        raise StoreUnavailable(url, "not the address of a database") from problem
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    is_supported = parsed.drivername in ("sqlite", "postgresql+psycopg")
    if not is_supported or parsed.database in (None, "", ":memory:"):
        target = parsed.render_as_string(hide_password=True)
        raise StoreUnavailable(target, "only SQLite files and PostgreSQL databases are supported")
    return parsed


def _open_sqlite(url: URL, side: str) -> Engine:
    engine = create_engine(
        url,
        execution_options={"runledger_side": side},
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        pool_size=5,
        max_overflow=-1,
        pool_timeout=BUSY_SECONDS,
    )
    event.listen(engine, "connect", _prepare_ledger if side == LEDGER else _prepare_views)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_ledger(connection: sqlite3.Connection, record: object) -> None:
    _prepare_sqlite(connection, "FULL")


def _prepare_views(connection: sqlite3.Connection, record: object) -> None:
    """After a loss of power the last rows may be gone, together with the cursor: they are made again."""
    _prepare_sqlite(connection, "NORMAL")


def _prepare_sqlite(connection: sqlite3.Connection, synchronous: str) -> None:
    connection.isolation_level = None
    connection.create_function("now_micros", 0, lambda: time.time_ns() // 1000)
    _switch_to_wal(connection)
    for pragma in (f"synchronous={synchronous}", "recursive_triggers=ON", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}").close()


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Once per file. The switch does not wait for other processes that are switching: wait here."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as problem:
            if _code(problem) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _begin_sqlite(conn: Connection) -> None:
    if not conn.get_execution_options().get("runledger_write", False):
        conn.exec_driver_sql("BEGIN")
        return
    cursor: Any = conn.connection.cursor()
    try:
        ask_often(cursor)
        begin_writing(cursor)
    except sqlite3.Error as problem:
        raise StoreUnavailable(target_of(conn.engine), str(problem)) from problem
    finally:
        cursor.execute(f"PRAGMA busy_timeout={round(BUSY_SECONDS * 1000)}")
        cursor.close()


def ask_often(cursor: sqlite3.Cursor) -> None:
    """Of its connection, as long as `begin_writing` is all that it may have to wait in."""
    cursor.execute(f"PRAGMA busy_timeout={ASK_MILLISECONDS}")


def begin_writing(cursor: sqlite3.Cursor) -> None:
    """A write transaction, after `ask_often`. Raises the driver's error if the lock is not had in time.

    Left alone SQLite comes to ask every 100 ms, and may never hit the gap between two commits of a writer
    that goes on and on.
    """
    deadline = 0.0
    while True:
        try:
            cursor.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as problem:
            now = time.monotonic()
            deadline = deadline or now + BUSY_SECONDS
            if _code(problem) != sqlite3.SQLITE_BUSY or now > deadline:
                raise
        else:
            return


def _open_postgresql(url: URL, side: str, connect_args: dict[str, Any]) -> Engine:
    given = url.query.get("options", "")
    bounds = f"-c lock_timeout={BUSY_SECONDS}s -c idle_in_transaction_session_timeout={IDLE_SECONDS}s"
    options = f"{given} -c search_path={side} -c timezone=UTC {bounds}".strip()
    return create_engine(
        url.difference_update_query(["options"]),
        connect_args={"connect_timeout": CONNECT_SECONDS, "options": options, **KEEPALIVE, **connect_args},
        execution_options={"runledger_side": side},
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=40,
        pool_timeout=BUSY_SECONDS,
    )


def _namer(target: str) -> Callable[[ExceptionContext], None]:
    """A listener that turns what the driver says about the database itself into `StoreUnavailable`."""

    def name_target(context: ExceptionContext) -> None:
        problem = context.original_exception
        if is_outage(problem) and not context.is_pre_ping:
            raise StoreUnavailable(target, str(problem).strip()) from problem

    return name_target


def is_outage(problem: BaseException | None) -> bool:
    """What the driver says tells of the database itself, not of the statement."""
    if isinstance(problem, sqlite3.Error):
        return _code(problem) in UNAVAILABLE_CODES
    return isinstance(problem, POSTGRESQL_OUTAGES)


def _code(problem: sqlite3.Error) -> int | None:
    code: int | None = getattr(problem, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
