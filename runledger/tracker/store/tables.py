"""The tables of the ledger database. Made by `migrations` only; nothing here creates them.

Times are µs since 1970 UTC in 64-bit integers, the same on both databases. Names are compared by bytes
(collation C on PostgreSQL, BINARY on SQLite), so a kind of stream is a range of the index.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

ledger = MetaData()

Name = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
Micros = BigInteger
# A 64-bit integer that SQLite may take for its rowid.
Position = BigInteger().with_variant(Integer, "sqlite")

log_info = Table(
    "log_info", ledger, Column("log_id", Text, primary_key=True), Column("created_at", Micros, nullable=False)
)
"""One row: which log this is. Every hash covers the id."""

head = Table(
    "head",
    ledger,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("recorded_at", Micros, nullable=False),
)
"""One row (id 1), locked last by each append: the last position given and its time."""

events = Table(
    "events",
    ledger,
    Column("position", Position, primary_key=True, autoincrement=False),
    Column("stream", Name, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("schema", Integer, nullable=False),
    Column("recorded_at", Micros, nullable=False),
    Column("occurred_at", Micros, nullable=False),
    Column("actor", Text, nullable=False),
    Column("correlation_id", Text),
    Column("causation_id", Text),
    Column("prev_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    UniqueConstraint("stream", "version", name="events_stream_version"),
    UniqueConstraint("event_id", name="events_event_id"),
)

cursors = Table(
    "cursors",
    ledger,
    Column("name", Name, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

leases = Table(
    "leases",
    ledger,
    Column("stream", Name, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", Text),
    Column("expires_at", Micros, nullable=False),
    Column("renewed_at", Micros, nullable=False),
    Column("phase", Text),
    Column("done", BigInteger),
    Column("total", BigInteger),
    Column("progressed_at", Micros, nullable=False),
)

dispatches = Table(
    "dispatches",
    ledger,
    Column("stream", Name, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("recipe", Text, nullable=False),
    Column("recipe_digest", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("device", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("requested_at", Micros, nullable=False),
    Column("sent_at", Micros),
    Column("send_count", Integer, nullable=False),
)
Index("dispatches_queue", dispatches.c.state, dispatches.c.priority.desc(), dispatches.c.position)

workers = Table(
    "workers",
    ledger,
    Column("worker_id", Name, primary_key=True),
    Column("recipes", Text, nullable=False),
    Column("devices", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("started_at", Micros, nullable=False),
    Column("seen_at", Micros, nullable=False),
    Column("state", Text, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    ledger,
    Column("holder", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Micros, nullable=False),
)
"""What a request with an `Idempotency-Key` was answered; `fingerprint` is the digest of its body."""

api_tokens = Table(
    "api_tokens",
    ledger,
    Column("digest", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("expires_at", Micros),
    Column("revoked_at", Micros),
)
"""Bearer tokens, as SHA-256 only."""


seals = Table(
    "seals",
    ledger,
    Column("size", Position, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("sealed_at", Micros, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
)
"""Signed roots over the first `size` events. `frontier` is all that the next one needs of the tree; `note` is
what was signed, as it also lies outside of the database. Guarded like the log itself."""

sealing = Table(
    "sealing",
    ledger,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("problem", Text, nullable=False),
    Column("since", Micros, nullable=False),
)
"""At most one row (id 1): why nothing is sealed at the moment."""


class now_micros(FunctionElement[int]):  # noqa: N801 - reads as the SQL function it is
    """µs since 1970 UTC by the database's clock at the moment of evaluation, not of the transaction."""

    type = BigInteger()
    inherit_cache = True


@compiles(now_micros, "sqlite")
def _now_on_sqlite(element: now_micros, compiler: SQLCompiler, **options: object) -> str:
    return "now_micros()"


@compiles(now_micros, "postgresql")
def _now_on_postgresql(element: now_micros, compiler: SQLCompiler, **options: object) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
