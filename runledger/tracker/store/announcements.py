"""What workers announce: which recipes they can execute, on which devices, under which labels.

Rows, not events. The API validates launches against them, so it needs nothing of `trainer`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from runledger.tracker.envelope import EPOCH, from_micros
from runledger.tracker.events.benchmark import Direction
from runledger.tracker.ids import WorkerId
from runledger.tracker.spec import DeviceRequest, JsonObject
from runledger.tracker.store.engine import is_postgresql
from runledger.tracker.store.tables import now_micros
from runledger.tracker.store.tables import workers as table

STALE_SECONDS = 60.0
"""A worker that was not seen for so long is not counted on."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    kind: Literal["cpu", "gpu", "tpu"]
    name: str = ""
    memory_bytes: int = 0


class ScorerAnnouncement(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    version: int
    digest: str = ""
    """SHA-256 of its source; empty for one that belongs to the recipe."""
    direction: Direction | None = None
    description: str = ""


class RecipeAnnouncement(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    version: int
    digest: str
    schema: JsonObject
    """JSON Schema of the spec's values."""
    presets: dict[str, JsonObject] = {}
    devices: tuple[str, ...] = ("cpu", "gpu", "tpu")
    description: str = ""
    scorers: tuple[ScorerAnnouncement, ...] = ()
    """What its benchmarks may be scored with where it is announced."""


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    worker_id: WorkerId
    recipes: tuple[RecipeAnnouncement, ...]
    devices: tuple[Device, ...] = ()
    labels: dict[str, str] = {}
    state: str = "idle"
    started_at: datetime | None = None
    """By the database's clock, like `seen_at`; None until it is announced."""
    seen_at: datetime | None = None

    def serves(self, device: DeviceRequest, labels: dict[str, str]) -> bool:
        """Has the devices that are asked for, and bears every label that is asked for."""
        fitting = [mine for mine in self.devices if _fits(mine, device)]
        return len(fitting) >= device.count and labels.items() <= self.labels.items()


class Announced(msgspec.Struct, frozen=True):
    """What all workers say at one moment."""

    everybody: tuple[Worker, ...]
    """The longest serving first."""
    asked_at: datetime
    """By the database's clock."""

    def workers(self, seen_within_seconds: float | None = None) -> tuple[Worker, ...]:
        """All, or those that were seen lately."""
        if seen_within_seconds is None:
            return self.everybody
        since = self.asked_at - timedelta(seconds=seen_within_seconds)
        return tuple(worker for worker in self.everybody if worker.seen_at and worker.seen_at >= since)

    def recipes(self, seen_within_seconds: float | None = STALE_SECONDS) -> list[RecipeAnnouncement]:
        """Every recipe of these workers, each digest once, by name and newest version first."""
        found = {
            (recipe.name, recipe.digest): recipe
            for worker in self.workers(seen_within_seconds)
            for recipe in worker.recipes
        }
        return sorted(found.values(), key=lambda recipe: (recipe.name, -recipe.version, recipe.digest))

    def scorers(self, recipe: RecipeAnnouncement | None = None) -> list[ScorerAnnouncement]:
        """Every scorer that some worker has announced, or those for benchmarks of one recipe; by name.

        A worker that was away for a while still counts: what it is to score waits for it in the queue.
        """
        found = {
            (scorer.name, scorer.version, scorer.digest): scorer
            for worker in self.everybody
            for each in worker.recipes
            if recipe is None or (each.name, each.digest) == (recipe.name, recipe.digest)
            for scorer in each.scorers
        }
        return sorted(found.values(), key=lambda scorer: (scorer.name, -scorer.version, scorer.digest))


def announce(conn: Connection, worker: Worker) -> None:
    """Make the worker known, or what it says now in place of what it said before."""
    dialect = postgresql if is_postgresql(conn.engine) else sqlite
    said = {
        "recipes": _json(worker.recipes),
        "devices": _json(worker.devices),
        "labels": _json(worker.labels),
        "seen_at": now_micros(),
        "state": worker.state,
    }
    statement = dialect.insert(table).values(worker_id=worker.worker_id, started_at=now_micros(), **said)
    conn.execute(statement.on_conflict_do_update(index_elements=["worker_id"], set_=said))


def touch(conn: Connection, worker_id: str, state: str | None = None) -> bool:
    """It lives. False where it is not announced (any more): announce it again."""
    values = {"seen_at": now_micros()} if state is None else {"seen_at": now_micros(), "state": state}
    return conn.execute(update(table).where(table.c.worker_id == worker_id).values(values)).rowcount == 1


def withdraw(conn: Connection, worker_id: str) -> None:
    conn.execute(table.delete().where(table.c.worker_id == worker_id))


def forget_stale(conn: Connection, after_seconds: float) -> int:
    """Drop the rows of workers that ended without a word; returns how many."""
    seen_before = now_micros() - round(after_seconds * 1_000_000)
    return conn.execute(table.delete().where(table.c.seen_at < seen_before)).rowcount


def workers(conn: Connection, seen_within_seconds: float | None = None) -> list[Worker]:
    """All that are announced, or those that were seen lately; the longest serving first."""
    return list(read(conn).workers(seen_within_seconds))


def recipes(conn: Connection, seen_within_seconds: float | None = STALE_SECONDS) -> list[RecipeAnnouncement]:
    """Every recipe that some worker can execute now, each digest once, by name and newest version first."""
    return read(conn).recipes(seen_within_seconds)


def scorers(conn: Connection, recipe: RecipeAnnouncement | None = None) -> list[ScorerAnnouncement]:
    """As `Announced.scorers`."""
    return read(conn).scorers(recipe)


def read(conn: Connection) -> Announced:
    """All that is announced now, in one statement."""
    rows = conn.execute(_ALL).all()
    return Announced(tuple(map(_worker, rows)), from_micros(rows[0].asked_at) if rows else EPOCH)


def _fits(mine: Device, wanted: DeviceRequest) -> bool:
    if wanted.memory_bytes and mine.memory_bytes < wanted.memory_bytes:
        return False
    return wanted.kind in ("any", mine.kind)


_ALL = select(table, now_micros().label("asked_at")).order_by(table.c.started_at, table.c.worker_id)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_recipes_decoder = msgspec.json.Decoder(tuple[RecipeAnnouncement, ...])
_devices_decoder = msgspec.json.Decoder(tuple[Device, ...])
_labels_decoder = msgspec.json.Decoder(dict[str, str])


@lru_cache(maxsize=64)
def _recipes(text: str) -> tuple[RecipeAnnouncement, ...]:
    """Workers say the same again and again. Nobody changes what this returns."""
    return _recipes_decoder.decode(text)


@lru_cache(maxsize=64)
def _devices(text: str) -> tuple[Device, ...]:
    return _devices_decoder.decode(text)


def _worker(row: Row[tuple[object, ...]]) -> Worker:
    return Worker(
        worker_id=row.worker_id,
        recipes=_recipes(row.recipes),
        devices=_devices(row.devices),
        labels=_labels_decoder.decode(row.labels),
        state=row.state,
        started_at=from_micros(row.started_at),
        seen_at=from_micros(row.seen_at),
    )
