"""The drivers themselves: the log's own statements on parameters that lie ready, and nothing in between.

What a statement is given here was made beforehand by the code that makes it for the log, so both sides send
the same texts and the same values in transactions of the same shape, over connections of the same settings.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Engine

from runledger.tracker.envelope import GENESIS, Write
from runledger.tracker.store.appends import Row, Tip, chain, prepare
from runledger.tracker.store.at_once import parameters_in_turn
from runledger.tracker.store.engine import is_postgresql, open_ledger
from runledger.tracker.store.statements import (
    INSERT_AT_ONCE,
    INSERT_ONE,
    IS_THERE,
    MOVE_HEAD,
    PLAN_ONCE,
)


class Ready(NamedTuple):
    """One transaction: what its statements are given."""

    before: list[tuple[str, int, bytes]]
    rows: list[tuple[Any, ...]]
    """For SQLite."""
    at_once: tuple[Any, ...]
    """For PostgreSQL."""


def ready(log_id: str, writes: Sequence[Sequence[Write]], tips: dict[str, Tip]) -> list[Ready]:
    """One transaction for each group of writes, which follow each other in the log."""
    return [_ready(log_id, group, tips) for group in writes]


def _ready(log_id: str, group: Sequence[Write], tips: dict[str, Tip]) -> Ready:
    before, rows = [], list[Row]()
    for write in group:
        tip = tips.get(write.stream, Tip(0, GENESIS))
        if tip.version:
            before.append((write.stream, tip.version, tip.hash))
        rows += chain(log_id, prepare([write], None), tips)
    return Ready(before, parameters_in_turn(rows), _lists(before, rows))


def _lists(before: Sequence[tuple[str, int, bytes]], rows: Sequence[Row]) -> tuple[Any, ...]:
    """As psycopg takes the arrays of the statement."""
    tips = [list(column) for column in zip(*before, strict=True)] or [[], [], []]
    columns = [list(column) for column in zip(*rows, strict=True)]
    return ([], [], *tips, len(rows), 0, len(before), len(rows), *columns)


class Bare:
    """A connection of the log's settings, without the log."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = open_ledger(url)
        self._pooled = self._engine.raw_connection()
        self._connection: Any = self._pooled.dbapi_connection
        self._run = self._run_on_sqlite
        self._cursor: Any
        if is_postgresql(self._engine):
            self._connection.autocommit = True
            self._cursor = self._connection.cursor(binary=True)
            self._cursor.execute(PLAN_ONCE)
            self._run = self._run_on_postgresql
        else:
            self._cursor = self._connection.cursor()

    def run(self, transactions: Sequence[Ready], start: threading.Barrier) -> list[float]:
        """The seconds that each took."""
        start.wait()
        return self._run(transactions)

    def close(self) -> None:
        self._cursor.close()
        self._pooled.invalidate()
        self._engine.dispose()

    def _run_on_sqlite(self, transactions: Sequence[Ready]) -> list[float]:
        execute = self._cursor.execute
        seconds = []
        for before, rows, _ in transactions:
            begin = time.perf_counter()
            execute("BEGIN IMMEDIATE")
            for predecessor in before:
                execute(IS_THERE, predecessor).fetchall()
            execute(MOVE_HEAD, (len(rows),)).fetchall()
            self._cursor.executemany(INSERT_ONE, rows)
            execute("COMMIT")
            seconds.append(time.perf_counter() - begin)
        return seconds

    def _run_on_postgresql(self, transactions: Sequence[Ready]) -> list[float]:
        execute = self._cursor.execute
        seconds = []
        for _, _, at_once in transactions:
            begin = time.perf_counter()
            execute(INSERT_AT_ONCE, at_once, prepare=True).fetchall()
            seconds.append(time.perf_counter() - begin)
        return seconds
