"""Datasets: what is known of the bytes that a digest names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Index, LargeBinary, Table, Text, select

from runledger.projections.history import holds, read_page
from runledger.projections.projection import Fact, Projection, Write
from runledger.projections.rows import History
from runledger.projections.tables import valid_from, valid_to, views
from runledger.tracker.envelope import from_micros
from runledger.tracker.events.dataset import DatasetDescribed, DatasetRegistered, Generated, Uploaded

datasets = Table(
    "datasets_v1",
    views,
    Column("digest", Text, primary_key=True),
    valid_from(),
    valid_to(),
    Column("position", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("description", Text, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    Column("registered_by", Text, nullable=False),
    Column("registered", LargeBinary, nullable=False),
    Index("datasets_v1_newest", "valid_to", "position"),
)
"""`registered`: the whole DatasetRegistered, as MessagePack."""


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    digest: str
    position: int
    version: int
    name: str
    format: str
    items: int
    size_bytes: int
    source: Generated | Uploaded
    statistics: dict[str, float]
    description: str
    registered_at: datetime
    registered_by: str


class DatasetPage(msgspec.Struct, frozen=True, kw_only=True):
    datasets: tuple[Dataset, ...]
    next: int | None
    """Pass it as `after` for the following page; None: this is the last."""


_pack = msgspec.msgpack.Encoder().encode
_registered = msgspec.msgpack.Decoder(DatasetRegistered)


def fold(conn: Connection, batch: Sequence[Fact]) -> Write:
    rows = History(datasets, "digest")
    rows.load(conn, {fact.subject for fact in batch})
    for fact in batch:
        match fact.event:
            case DatasetRegistered() as event:
                rows.open(
                    fact.position,
                    digest=fact.subject,
                    position=fact.position,
                    version=fact.version,
                    description="",
                    registered_at=fact.at,
                    registered_by=fact.actor,
                    registered=_pack(event),
                )
            case DatasetDescribed() as event:
                rows.change(fact.position, fact.subject, version=fact.version, description=event.description)
    return rows.write


PROJECTION = Projection(
    name="datasets", version=1, kinds=frozenset({"dataset"}), tables=(datasets,), fold=fold
)


def list_datasets(
    conn: Connection, *, limit: int = 50, after: int | None = None, as_of: int | None = None
) -> DatasetPage:
    """Newest first."""
    query = select(datasets).where(holds(datasets, as_of))
    rows, following = read_page(conn, query, datasets.c.position, limit, after)
    return DatasetPage(datasets=tuple(map(_dataset, rows)), next=following)


def get_dataset(conn: Connection, digest: str, as_of: int | None = None) -> Dataset | None:
    query = select(datasets).where(datasets.c.digest == digest, holds(datasets, as_of))
    row = conn.execute(query).mappings().first()
    return None if row is None else _dataset(row)


def _dataset(row: Any) -> Dataset:
    event = _registered.decode(row["registered"])
    copied = ("digest", "position", "version", "description", "registered_by")
    return Dataset(
        **{name: row[name] for name in copied},
        name=event.name,
        format=event.format,
        items=event.items,
        size_bytes=event.size_bytes,
        source=event.source,
        statistics=event.statistics,
        registered_at=from_micros(row["registered_at"]),
    )
