"""What workers announce: which recipes they can execute, on which devices, under which labels.

Rows, not events. The API validates launches against them, so it needs nothing of `trainer`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tracker.envelope import from_micros
from tracker.ids import WorkerId
from tracker.spec import DeviceRequest, JsonObject
from tracker.store.engine import is_postgresql
from tracker.store.tables import now_micros
from tracker.store.tables import workers as table

STALE_SECONDS = 60.0
"""A worker that was not seen for so long is not counted on."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    kind: Literal["cpu", "gpu", "tpu"]
    name: str = ""
    memory_bytes: int = 0


class RecipeAnnouncement(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    version: int
    digest: str
    schema: JsonObject
    """JSON Schema of the spec's values."""
    presets: dict[str, JsonObject] = {}
    devices: tuple[str, ...] = ("cpu", "gpu", "tpu")
    description: str = ""


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
    statement = select(table).order_by(table.c.started_at, table.c.worker_id)
    if seen_within_seconds is not None:
        statement = statement.where(table.c.seen_at >= now_micros() - round(seen_within_seconds * 1_000_000))
    return [_worker(row) for row in conn.execute(statement)]


def recipes(conn: Connection, seen_within_seconds: float | None = STALE_SECONDS) -> list[RecipeAnnouncement]:
    """Every recipe that some worker can execute now, each digest once, by name and newest version first."""
    found = {
        (recipe.name, recipe.digest): recipe
        for worker in workers(conn, seen_within_seconds)
        for recipe in worker.recipes
    }
    return sorted(found.values(), key=lambda recipe: (recipe.name, -recipe.version, recipe.digest))


def _fits(mine: Device, wanted: DeviceRequest) -> bool:
    if wanted.memory_bytes and mine.memory_bytes < wanted.memory_bytes:
        return False
    return wanted.kind in ("any", mine.kind)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_recipes_decoder = msgspec.json.Decoder(tuple[RecipeAnnouncement, ...])
_devices_decoder = msgspec.json.Decoder(tuple[Device, ...])
_labels_decoder = msgspec.json.Decoder(dict[str, str])


def _worker(row: Row[tuple[object, ...]]) -> Worker:
    return Worker(
        worker_id=row.worker_id,
        recipes=_recipes_decoder.decode(row.recipes),
        devices=_devices_decoder.decode(row.devices),
        labels=_labels_decoder.decode(row.labels),
        state=row.state,
        started_at=from_micros(row.started_at),
        seen_at=from_micros(row.seen_at),
    )
