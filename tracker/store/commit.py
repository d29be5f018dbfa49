"""Appends into the database: what goes through, at which positions, and what is refused and why.

`settle` is the careful way, on both databases: inside one write transaction it takes the fences' leases,
then the head row, then looks at the streams, so its answers are exact. `insert_at_once` is the fast way:
it inserts all or nothing and says nothing about the reason; on PostgreSQL one statement in one round trip.
The head row is always the last lock, held until the commit: positions are dense and in commit order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from sqlalchemy import Connection, insert, select, tuple_, update
from sqlalchemy import func as sql
from sqlalchemy.sql import Select

from tracker.envelope import GENESIS
from tracker.errors import EventIdTaken, Fenced, TrackerError
from tracker.store.appends import Append, Row, Tip, Tips, chain
from tracker.store.engine import is_postgresql
from tracker.store.tables import events, head, leases, now_micros

Outcome = int | TrackerError
Place = tuple[str, int]
"""Stream and position of an event that is in the log."""

ID_CHUNK = 1000


def settle(conn: Connection, log_id: str, appends: Sequence[Append], tips: Tips) -> list[Outcome]:
    """The position of each append's last event, or why it was refused; those refused change nothing.

    An append whose event ids are in the log already has succeeded before, whatever its expected version.
    `tips` is filled with what was read and written; keep it only if the transaction commits.
    """
    held = lock_fences(conn, appends)
    position = conn.execute(select(head.c.position).with_for_update()).scalar_one()
    known = find(conn, [event_id for append in appends for event_id in append.event_ids])
    tips.update(read_tips(conn, {write.stream for append in appends for write in append.writes}))
    outcomes: list[Outcome] = []
    rows: list[Row] = []
    for append in appends:
        try:
            outcome, fresh = _settle_one(log_id, append, held, known, tips)
        except TrackerError as refusal:
            outcomes.append(refusal)
            continue
        for offset, row in enumerate(fresh, position + len(rows) + 1):
            known[row.event_id] = (row.stream, offset)
        rows += fresh
        outcomes.append(outcome or position + len(rows))
    if rows:
        _insert(conn, rows)
    return outcomes


def _settle_one(
    log_id: str, append: Append, held: set[tuple[str, int]], known: dict[UUID, Place], tips: Tips
) -> tuple[int | None, list[Row]]:
    """The position where it stands already, or the rows that are to be inserted."""
    before = position_of(append, known)
    if before is not None:
        return before, []
    if append.fence and (append.fence.stream, append.fence.epoch) not in held:
        raise Fenced(append.fence.stream, append.fence.epoch)
    rows = chain(log_id, append, tips)
    return None, rows


def position_of(append: Append, known: dict[UUID, Place]) -> int | None:
    """Where the last event of `append` stands, if all are in the log; None if none is.

    Raises `EventIdTaken` where some are and some are not, or where they are events of another stream.
    """
    places = [
        (new.event_id, write.stream, known.get(new.event_id))
        for write in append.writes
        for new in write.events
    ]
    if all(place is None for _, _, place in places):
        return None
    for event_id, stream, place in places:
        if place is None or place[0] != stream:
            raise EventIdTaken(event_id, place[0] if place else stream)
    last = places[-1][2]
    return last[1] if last else None


def find(conn: Connection, event_ids: Sequence[UUID]) -> dict[UUID, Place]:
    """Those of the ids that are in the log."""
    columns = select(events.c.event_id, events.c.stream, events.c.position)
    found: dict[UUID, Place] = {}
    for start in range(0, len(event_ids), ID_CHUNK):
        chunk = event_ids[start : start + ID_CHUNK]
        for event_id, stream, position in conn.execute(columns.where(events.c.event_id.in_(chunk))):
            found[event_id] = (stream, position)
    return found


def read_tips(conn: Connection, streams: Iterable[str]) -> dict[str, Tip]:
    """The end of each of the streams that have events."""
    if is_postgresql(conn.engine):
        rows = conn.exec_driver_sql(TIPS_AT_ONCE, (sorted(streams),))
        return {stream: Tip(version, bytes(digest)) for stream, version, digest in rows}
    tips = {}
    for stream in streams:
        row = conn.execute(_tip_of(stream)).one_or_none()
        if row is not None:
            tips[stream] = Tip(row.version, row.hash)
    return tips


def _tip_of(stream: str) -> Select[tuple[int, bytes]]:
    columns = select(events.c.version, events.c.hash).where(events.c.stream == stream)
    return columns.order_by(events.c.version.desc()).limit(1)


def lock_fences(conn: Connection, appends: Sequence[Append]) -> set[tuple[str, int]]:
    """Which of the fences' leases are held in the fence's epoch; they cannot change until the commit."""
    wanted = {(append.fence.stream, append.fence.epoch) for append in appends if append.fence}
    if not wanted:
        return set()
    statement = (
        select(leases.c.stream, leases.c.epoch)
        .where(tuple_(leases.c.stream, leases.c.epoch).in_(sorted(wanted)), leases.c.holder.is_not(None))
        .order_by(leases.c.stream)
        .with_for_update(read=True)
    )
    return {(stream, epoch) for stream, epoch in conn.execute(statement)}


def _insert(conn: Connection, rows: Sequence[Row]) -> None:
    now = now_micros()
    greatest: Callable[..., object] = sql.greatest if is_postgresql(conn.engine) else sql.max
    placed = conn.execute(
        update(head)
        .values(position=head.c.position + len(rows), recorded_at=greatest(head.c.recorded_at, now))
        .returning(head.c.position, head.c.recorded_at)
    ).one()
    base = placed.position - len(rows)
    values = [
        {"position": position, "recorded_at": placed.recorded_at, **row._asdict()}
        for position, row in enumerate(rows, base + 1)
    ]
    conn.execute(insert(events), values)


def insert_at_once(conn: Connection, appends: Sequence[Append], rows: Sequence[Row]) -> int | None:
    """Insert all rows after the fences and the predecessors were checked; the position before the first.

    None where a check failed and nothing was inserted. A conflict is an IntegrityError.
    """
    made = {row.hash for row in rows}
    before = [row for row in rows if row.prev_hash != GENESIS and row.prev_hash not in made]
    if is_postgresql(conn.engine):
        return _insert_in_one_statement(conn, appends, rows, before)
    return _insert_in_turn(conn, appends, rows, before)


def _insert_in_turn(
    conn: Connection, appends: Sequence[Append], rows: Sequence[Row], before: Sequence[Row]
) -> int | None:
    """On SQLite the transaction holds the only lock there is, so the checks stand until the commit."""
    held = lock_fences(conn, appends)
    if not all((append.fence.stream, append.fence.epoch) in held for append in appends if append.fence):
        return None
    for row in before:
        predecessor = (row.stream, row.version - 1, row.prev_hash)
        if conn.exec_driver_sql(IS_THERE, predecessor).first() is None:
            return None
    position, recorded_at = conn.exec_driver_sql(MOVE_HEAD, (len(rows),)).one()
    base: int = position - len(rows)
    values = [
        (place, recorded_at, *row._replace(event_id=row.event_id.hex))  # type: ignore[arg-type]
        for place, row in enumerate(rows, base + 1)
    ]
    conn.exec_driver_sql(INSERT_ONE, values)
    return base


def _insert_in_one_statement(
    conn: Connection, appends: Sequence[Append], rows: Sequence[Row], before: Sequence[Row]
) -> int | None:
    fences = sorted({(append.fence.stream, append.fence.epoch) for append in appends if append.fence})
    parameters = (
        [stream for stream, _ in fences],
        [epoch for _, epoch in fences],
        [row.stream for row in before],
        [row.version - 1 for row in before],
        [row.prev_hash for row in before],
        len(rows),
        len(fences),
        len(before),
        len(rows),
        *(list(column) for column in zip(*rows, strict=True)),
    )
    base: int | None = conn.exec_driver_sql(INSERT_AT_ONCE, parameters).scalar()
    return base


IS_THERE = "SELECT 1 FROM events WHERE stream = ? AND version = ? AND hash = ?"
MOVE_HEAD = (
    "UPDATE head SET position = position + ?, recorded_at = max(recorded_at, now_micros()) "
    "RETURNING position, recorded_at"
)
_COLUMNS = ", ".join(Row._fields)
INSERT_ONE = (
    f"INSERT INTO events (position, recorded_at, {_COLUMNS}) "  # noqa: S608 - the names are ours
    f"VALUES (?, ?, {', '.join('?' for _ in Row._fields)})"
)

TIPS_AT_ONCE = """
SELECT wanted.stream, tip.version, tip.hash
FROM unnest(%b::text[]) AS wanted(stream)
CROSS JOIN LATERAL (
    SELECT version, hash FROM events WHERE stream = wanted.stream ORDER BY version DESC LIMIT 1
) AS tip
"""

# The checks are evaluated before the head row is locked; only the INSERT and the COMMIT come after it.
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
    FROM events JOIN unnest(%b::text[], %b::bigint[], %b::bytea[]) AS tip(stream, version, hash)
        ON events.stream = tip.stream AND events.version = tip.version AND events.hash = tip.hash
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
