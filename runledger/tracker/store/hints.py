"""Hints that the ledger may have changed, so that a reader need not wait out its poll.

Polling stays the truth: a hint may be lost, late or for nothing, and no reader relies on one. SQLite's
write-ahead log is looked at 25 times a second, which costs less than a query; PostgreSQL notifies whoever
listens, once `ring` was called, which happens behind the append's commit and never within it.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Protocol

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.engine import is_postgresql, read

logger = logging.getLogger(__name__)

CHANNEL = "runledger"
LOOK_SECONDS = 0.04
AGAIN_SECONDS = 0.04
RECONNECT_SECONDS = 5.0


class Hints(Protocol):
    """For one thread."""

    def wait(self, seconds: float) -> bool:
        """Until the ledger may have changed, at most so long. Whether there was a hint."""

    def close(self) -> None:
        """`wait` is not called any more."""


def listen(engine: Engine) -> Hints:
    """The hints of this database. Connects to nothing yet."""
    if is_postgresql(engine):
        return Notifications(engine)
    return FileChanges(f"{engine.url.database}-wal")


def ring(engine: Engine) -> None:
    """Wake who listens, after a commit. Costs a round trip on PostgreSQL, nothing on SQLite."""
    if not is_postgresql(engine):
        return
    try:
        with read(engine) as conn:
            conn.exec_driver_sql(f"NOTIFY {CHANNEL}")
    except (StoreUnavailable, SQLAlchemyError) as problem:
        logger.info("no hint was given: %s", problem)


class FileChanges:
    """Time and size of a file: any write to it is a hint, and again a moment later.

    SQLite writes a commit to its log first, and lets readers see it once it is on disk.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._seen = self._look()
        self._is_fresh = False

    def wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + (min(seconds, AGAIN_SECONDS) if self._is_fresh else seconds)
        while (seen := self._look()) == self._seen:
            left = deadline - time.monotonic()
            if left <= 0:
                was_fresh, self._is_fresh = self._is_fresh, False
                return was_fresh
            time.sleep(min(LOOK_SECONDS, left))
        self._seen, self._is_fresh = seen, True
        return True

    def close(self) -> None:
        """There is nothing to close."""

    def _look(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_size)


class Notifications:
    """Listens on a connection of its own; without one it merely waits, and tries again later."""

    def __init__(self, engine: Engine, reconnect_seconds: float = RECONNECT_SECONDS) -> None:
        self._engine = engine
        self._reconnect_seconds = reconnect_seconds
        self._connection: psycopg.Connection | None = None
        self._connect_at = 0.0

    def wait(self, seconds: float) -> bool:
        try:
            connection = self._listening()
            if connection is not None:
                return any(True for _ in connection.notifies(timeout=seconds, stop_after=1))
        except (StoreUnavailable, SQLAlchemyError, psycopg.Error) as problem:
            logger.info("no hints for now: %s", problem)
            self.close()
            self._connect_at = time.monotonic() + self._reconnect_seconds
        time.sleep(seconds)
        return False

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _listening(self) -> psycopg.Connection | None:
        if self._connection is None and time.monotonic() >= self._connect_at:
            pooled = self._engine.raw_connection()
            connection = pooled.driver_connection
            pooled.detach()
            assert isinstance(connection, psycopg.Connection)
            self._connection = connection
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")
        return self._connection
