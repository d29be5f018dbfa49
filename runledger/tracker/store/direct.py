"""A connection of one's own, used through the driver: for the few statements that run all the time.

It is opened and prepared by the engine like every other, then taken out of its pool. What the driver says
about the database itself becomes `StoreUnavailable`, after which the connection is of no more use; other
errors of the driver pass as they are.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from sqlalchemy import Engine

from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.arrays import take_columns
from runledger.tracker.store.engine import (
    ask_often,
    begin_writing,
    connect,
    is_outage,
    is_postgresql,
    target_of,
)
from runledger.tracker.store.statements import PLAN_ONCE

KEPT_FOR_READING = 4

DriverError = sqlite3.Error | psycopg.Error
INTEGRITY_ERRORS = (sqlite3.IntegrityError, psycopg.IntegrityError)
DRIVER_ERRORS = (sqlite3.Error, psycopg.Error)

Rows = list[tuple[Any, ...]]


class Direct:
    """For one thread at a time. Statements outside of `begin` and `commit` stand for themselves."""

    def __init__(self, engine: Engine) -> None:
        """Raises `StoreUnavailable`."""
        self._engine = engine
        self.is_postgresql = is_postgresql(engine)
        self._has_begun = False
        pooled = connect(engine)
        pooled.detach()
        connection: Any = pooled.connection.dbapi_connection
        self._connection = connection
        self.cursor: Any = connection.cursor()
        """The driver's. Whoever uses it knows which driver that is, and what `translated` is for."""
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        if self.is_postgresql:
            self._connection.autocommit = True
            take_columns(self._connection)
            self.cursor = self._connection.cursor(binary=True)
            self.run(PLAN_ONCE)

    def fetch(self, statement: str, parameters: Sequence[Any]) -> Rows:
        """All rows of its answer."""
        try:
            if self.is_postgresql:
                self.cursor.execute(statement, parameters, prepare=True)
            else:
                self.cursor.execute(statement, parameters)
            rows: Rows = self.cursor.fetchall()
        except DRIVER_ERRORS as problem:
            raise self.translated(problem) from problem
        return rows

    def run(self, statement: str) -> None:
        """For one that has no answer."""
        try:
            self.cursor.execute(statement)
        except DRIVER_ERRORS as problem:
            raise self.translated(problem) from problem

    def begin(self) -> None:
        """A write transaction. On PostgreSQL a statement is one by itself, and nothing happens."""
        if self.is_postgresql:
            return
        try:
            if not self._has_begun:
                ask_often(self.cursor)
                self._has_begun = True
            begin_writing(self.cursor)
        except DRIVER_ERRORS as problem:
            raise self.translated(problem) from problem

    def commit(self) -> None:
        if not self.is_postgresql:
            self.run("COMMIT")

    def roll_back(self) -> None:
        try:
            self._connection.rollback()
        except DRIVER_ERRORS as problem:
            raise self.translated(problem) from problem

    def close(self) -> None:
        """In whatever state it is."""
        with suppress(*DRIVER_ERRORS):
            self.cursor.close()  # a statement that is left open would keep the file open
        with suppress(*DRIVER_ERRORS):
            self._connection.close()

    def translated(self, problem: DriverError) -> Exception:
        """`StoreUnavailable` for what the driver says about the database itself."""
        if is_outage(problem):
            return StoreUnavailable(target_of(self._engine), str(problem).strip())
        return problem


class Readers:
    """Connections that are kept for reading, a few; each is lent to one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._free: list[Direct] = []
        self._closed = False

    def fetch(self, statement: str, parameters: Sequence[Any]) -> Rows:
        """Once more on a new connection if a kept one has been lost. Raises `StoreUnavailable`."""
        kept = self._take()
        if kept is not None:
            try:
                return self._fetch(kept, statement, parameters)
            except StoreUnavailable:
                self._forget()
        return self._fetch(Direct(self._engine), statement, parameters)

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._forget()

    def _fetch(self, direct: Direct, statement: str, parameters: Sequence[Any]) -> Rows:
        is_whole = False
        try:
            rows = direct.fetch(statement, parameters)
            is_whole = True
        finally:
            self._give_back(direct, is_whole)
        return rows

    def _take(self) -> Direct | None:
        with self._lock:
            return self._free.pop() if self._free else None

    def _give_back(self, direct: Direct, is_whole: bool) -> None:
        with self._lock:
            is_kept = is_whole and not self._closed and len(self._free) < KEPT_FOR_READING
            if is_kept:
                self._free.append(direct)
        if not is_kept:
            direct.close()

    def _forget(self) -> None:
        with self._lock:
            free, self._free = self._free, []
        for direct in free:
            direct.close()
