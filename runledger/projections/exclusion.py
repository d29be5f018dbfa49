"""One rebuild at a time for a database: a lock that ends with the process that holds it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Engine, func, select

from runledger.projections.errors import RebuildRunning
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.engine import connect, is_postgresql

LOCK_KEY = 7_304_203
"""Any number that nobody else takes in the same database."""


@contextmanager
def alone(views: Engine) -> Iterator[None]:
    """Raises `RebuildRunning`."""
    with _on_postgresql(views) if is_postgresql(views) else _on_sqlite(views):
        yield


@contextmanager
def _on_postgresql(views: Engine) -> Iterator[None]:
    with connect(views).execution_options(isolation_level="AUTOCOMMIT") as conn:
        if not conn.scalar(select(func.pg_try_advisory_lock(LOCK_KEY))):
            raise RebuildRunning
        try:
            yield
        finally:
            with suppress(StoreUnavailable):  # a connection that was lost has lost the lock as well
                conn.scalar(select(func.pg_advisory_unlock(LOCK_KEY)))


@contextmanager
def _on_sqlite(views: Engine) -> Iterator[None]:
    """A file beside the database; it stays, the lock on it does not."""
    with Path(f"{views.url.database}.rebuild").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RebuildRunning from None
        yield
