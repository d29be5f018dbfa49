"""Appends into the database: what goes through, at which positions, and what is refused and why.

This is the careful way, on both databases: inside one write transaction `settle` takes the fences' leases,
then the head row, then looks at the streams, so its answers are exact. The fast way is `at_once`. In both
the head row is the last lock, held until the commit: positions are dense and in commit order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Connection, insert, select, tuple_, update
from sqlalchemy import func as sql

from runledger.tracker.errors import EventIdTaken, Fenced, TrackerError
from runledger.tracker.store.appends import Append, Row, Tip, Tips, chain
from runledger.tracker.store.at_once import parameters_in_turn, tip_of
from runledger.tracker.store.engine import is_postgresql
from runledger.tracker.store.statements import FIND, INSERT_ONE, MOVE_HEAD, TIP, TIPS_AT_ONCE
from runledger.tracker.store.tables import events, head, leases, now_micros

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
        _insert(conn, rows, *_move_head(conn, len(rows)))
    return outcomes


def settle_alone(conn: Connection, log_id: str, append: Append) -> int:
    """As `settle` for one append that is not in the log yet, in fewer statements; raises what refuses it.

    Where it got into the log meanwhile that is `WrongExpectedVersion`, `Fenced` or an IntegrityError.
    """
    fence = append.fence
    if fence and (fence.stream, fence.epoch) not in lock_fences(conn, [append]):
        raise Fenced(fence.stream, fence.epoch)
    position, recorded_at = _move_head(conn, append.event_count)
    tips = read_tips(conn, {write.stream for write in append.writes})
    _insert(conn, chain(log_id, append, tips), position, recorded_at)
    return position


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
    found: dict[UUID, Place] = {}
    for start in range(0, len(event_ids), ID_CHUNK):
        chunk = event_ids[start : start + ID_CHUNK]
        for event_id, stream, position in _find(conn, chunk):
            found[event_id] = (stream, position)
    return found


def _find(conn: Connection, event_ids: Sequence[UUID]) -> Iterable[tuple[UUID, str, int]]:
    if is_postgresql(conn.engine):
        columns = select(events.c.event_id, events.c.stream, events.c.position)
        return [(*row,) for row in conn.execute(columns.where(events.c.event_id.in_(event_ids)))]
    ids = [event_id.hex for event_id in event_ids]
    rows = conn.exec_driver_sql(FIND.format(", ".join("?" for _ in ids)), tuple(ids))
    return ((UUID(event_id), stream, position) for event_id, stream, position in rows)


def read_tips(conn: Connection, streams: Iterable[str]) -> dict[str, Tip]:
    """The end of each of the streams that have events."""
    if is_postgresql(conn.engine):
        rows = conn.exec_driver_sql(TIPS_AT_ONCE, (sorted(streams),))
        return {stream: Tip(version, bytes(digest), event_id) for stream, version, digest, event_id in rows}
    found = ((stream, conn.exec_driver_sql(TIP, (stream,)).one_or_none()) for stream in streams)
    return {stream: tip_of(*row) for stream, row in found if row is not None}


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


def _move_head(conn: Connection, count: int) -> tuple[int, int]:
    """Locks the head row, and makes room: the last position, and the time of all these events."""
    if not is_postgresql(conn.engine):
        return tuple(conn.exec_driver_sql(MOVE_HEAD, (count,)).one())
    placed = conn.execute(
        update(head)
        .values(
            position=head.c.position + count,
            recorded_at=sql.greatest(head.c.recorded_at, now_micros()),
        )
        .returning(head.c.position, head.c.recorded_at)
    ).one()
    return placed.position, placed.recorded_at


def _insert(conn: Connection, rows: Sequence[Row], last: int, recorded_at: int) -> None:
    if not is_postgresql(conn.engine):
        conn.exec_driver_sql(INSERT_ONE, parameters_in_turn(rows))
        return
    values = [
        {"position": position, "recorded_at": recorded_at, **row._asdict()}
        for position, row in enumerate(rows, last - len(rows) + 1)
    ]
    conn.execute(insert(events), values)
