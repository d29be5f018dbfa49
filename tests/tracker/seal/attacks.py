"""What somebody with the database can do to it: past the triggers, and past constraints where need be."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine

from runledger.tracker.envelope import GENESIS, Metadata, hash_about, hash_event, hash_head
from runledger.tracker.seal.rowcheck import LogRow
from runledger.tracker.store.engine import is_postgresql
from runledger.tracker.store.tables import events

COLUMNS = tuple(column.name for column in events.columns)
TRIGGERS = ("events_refuse_update", "events_refuse_delete", "events_refuse_replace")


class Attacker:
    """A connection of its own, on either database."""

    def __init__(self, engine: Engine) -> None:
        self._is_postgresql = is_postgresql(engine)
        self._url = engine.url
        self._engine = engine

    def run(self, statement: str, *parameters: Any) -> None:
        with self._connection() as execute:
            execute(statement, parameters)

    def rows(self) -> list[LogRow]:
        with self._connection() as execute:
            found = execute(f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY position", ())
            return [LogRow._make(row) for row in found]

    def replace_all(self, rows: Sequence[LogRow]) -> None:
        """The log becomes this, and its head fits."""
        with self._connection() as execute:
            execute("DELETE FROM events", ())
            places = ", ".join("?" for _ in COLUMNS)
            for row in rows:
                execute(f"INSERT INTO events ({', '.join(COLUMNS)}) VALUES ({places})", tuple(row))
            if rows:
                last = rows[-1]
                execute("UPDATE head SET position = ?, recorded_at = ?", (last.position, last.recorded_at))

    @contextmanager
    def _connection(self) -> Iterator[Callable[[str, tuple[Any, ...]], Any]]:
        self._engine.dispose()
        if self._is_postgresql:
            yield from self._on_postgresql()
        else:
            yield from self._on_sqlite()

    def _on_postgresql(self) -> Iterator[Callable[[str, tuple[Any, ...]], Any]]:
        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, options="-c search_path=ledger") as connection:
            for table in ("events", "seals", "log_info"):
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            yield lambda statement, parameters: connection.execute(statement.replace("?", "%s"), parameters)
            for table in ("events", "seals", "log_info"):
                connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_refuse_change")

    def _on_sqlite(self) -> Iterator[Callable[[str, tuple[Any, ...]], Any]]:
        assert self._url.database is not None
        connection = sqlite3.connect(self._url.database)
        kept = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in kept:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection.execute
        for _, statement in kept:
            connection.execute(statement)
        connection.commit()
        connection.close()


def renumbered(rows: Sequence[LogRow]) -> list[LogRow]:
    """In this order: positions, versions and times are made to fit, as a careful forger would."""
    versions: dict[str, int] = {}
    made: list[LogRow] = []
    time = 0
    for position, row in enumerate(rows, 1):
        versions[row.stream] = versions.get(row.stream, 0) + 1
        time = max(time, row.recorded_at)
        made.append(row._replace(position=position, version=versions[row.stream], recorded_at=time))
    return made


def rehashed(log_id: str, rows: Sequence[LogRow]) -> list[LogRow]:
    """Every hash and chain made to fit."""
    tips: dict[str, bytes] = {}
    made: list[LogRow] = []
    for row in rows:
        chained = row._replace(prev_hash=tips.get(row.stream, GENESIS))
        metadata = Metadata(actor=row.actor, correlation_id=row.correlation_id, causation_id=row.causation_id)
        about = hash_about(row.type, row.schema, row.occurred_at, metadata)
        event_id = row.event_id if isinstance(row.event_id, UUID) else UUID(row.event_id)
        digest = hash_event(
            hash_head(log_id, row.stream), row.version, event_id, about, row.payload, chained.prev_hash
        )
        made.append(chained._replace(hash=digest))
        tips[row.stream] = digest
    return made


def changed(value: Any) -> Any:
    """Another value of the same type."""
    match value:
        case None:
            return "x"
        case int():
            return value + 1
        case str():
            return ("0" if value[0] != "0" else "1") + value[1:]
        case UUID():
            return UUID(int=value.int ^ 1)
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
    raise TypeError(value)
