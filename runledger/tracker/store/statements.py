"""The statements that every append and every decision run, as text for the drivers themselves.

SQLAlchemy spends more on such a statement than the database does. The tables stay its own (`tables`), and
whatever is not in here goes through it. `?` is SQLite's place for a parameter, `%b` psycopg's in binary.
"""

from __future__ import annotations

from runledger.tracker.store.appends import Row
from runledger.tracker.store.tables import events

_COLUMNS = ", ".join(Row._fields)
_ALL_COLUMNS = ", ".join(column.name for column in events.columns)
_READ = f"SELECT {_ALL_COLUMNS} FROM events WHERE stream = {{0}} AND version > {{0}} ORDER BY version"  # noqa: S608

HEAD = "SELECT position FROM head"
READ_ON_SQLITE = _READ.format("?")
READ_ON_POSTGRESQL = _READ.format("%b")

IS_THERE = "SELECT 1 FROM events WHERE stream = ? AND version = ? AND hash = ?"
FIND = "SELECT event_id, stream, position FROM events WHERE event_id IN ({})"
TIP = "SELECT version, hash, event_id FROM events WHERE stream = ? ORDER BY version DESC LIMIT 1"
HELD = "SELECT 1 FROM leases WHERE stream = ? AND epoch = ? AND holder IS NOT NULL"
MOVE_HEAD = (
    "UPDATE head SET position = position + ?, recorded_at = max(recorded_at, now_micros()) "
    "RETURNING position, recorded_at"
)
# The place of a row is counted from the end of its append: the head has been moved before.
INSERT_ONE = (
    f"INSERT INTO events (position, recorded_at, {_COLUMNS}) "  # noqa: S608 - the names are ours
    f"SELECT position + ?, recorded_at, {', '.join('?' for _ in Row._fields)} FROM head"
)

PLAN_ONCE = "SET plan_cache_mode = force_generic_plan"
"""For a connection that runs these statements: to plan an append takes PostgreSQL longer than to do it."""

TIPS_AT_ONCE = """
SELECT wanted.stream, tip.version, tip.hash, tip.event_id
FROM unnest(%b::text[]) AS wanted(stream)
CROSS JOIN LATERAL (
    SELECT version, hash, event_id FROM events WHERE stream = wanted.stream ORDER BY version DESC LIMIT 1
) AS tip
"""

# The checks are evaluated before the head row is locked; only the INSERT and the COMMIT come after it.
# Each tip is looked up by itself: a plan made for a small log would join with all events of a large one.
_COLUMNS_OF_FRESH = ", ".join(f"fresh.{name}" for name in Row._fields)
INSERT_AT_ONCE = f"""
WITH held AS MATERIALIZED (
    SELECT leases.stream
    FROM leases JOIN unnest(%b::text[], %b::bigint[]) AS fence(stream, epoch)
        ON leases.stream = fence.stream AND leases.epoch = fence.epoch
    WHERE leases.holder IS NOT NULL
    FOR SHARE OF leases
), follows AS MATERIALIZED (
    SELECT count(*) AS found
    FROM unnest(%b::text[], %b::bigint[], %b::bytea[]) AS tip(stream, version, hash)
    CROSS JOIN LATERAL (
        SELECT FROM events
        WHERE events.stream = tip.stream AND events.version = tip.version AND events.hash = tip.hash
        LIMIT 1
    ) AS there
), placed AS (
    UPDATE head
    SET position = position + %b,
        recorded_at = greatest(recorded_at, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint))
    WHERE (SELECT count(*) FROM held) = %b AND (SELECT found FROM follows) = %b
    RETURNING position - %b AS base, recorded_at
), written AS (
    INSERT INTO events (position, recorded_at, {_COLUMNS})
    SELECT placed.base + fresh.place, placed.recorded_at, {_COLUMNS_OF_FRESH}
    FROM placed, unnest(
        %b::text[], %b::bigint[], %b::uuid[], %b::text[], %b::int[], %b::bigint[],
        %b::text[], %b::text[], %b::text[], %b::bytea[], %b::bytea[], %b::bytea[]
    ) WITH ORDINALITY AS fresh({_COLUMNS}, place)
)
SELECT base FROM placed
"""  # noqa: S608 - the names are ours
