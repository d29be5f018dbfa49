"""The queue of attempts that wait for a worker: one row per (stream, attempt), made by the relay.

pending → claimed → done. A message only wakes a worker; what it claims is the best pending row that it
serves. To look for it locks nothing, however long the queue; of those who found the same row one claims it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from runledger.tracker.envelope import from_micros, to_micros
from runledger.tracker.ids import Stream
from runledger.tracker.spec import DeviceRequest
from runledger.tracker.store.engine import is_postgresql
from runledger.tracker.store.tables import dispatches, now_micros

State = Literal["pending", "claimed", "done"]

SCAN_ROWS = 200


class Dispatch(msgspec.Struct, frozen=True, kw_only=True):
    stream: Stream
    attempt: int
    position: int
    """Of the event that asked for the attempt: the order within one priority."""
    recipe: str
    recipe_digest: str
    priority: int = 0
    device: DeviceRequest = DeviceRequest()
    labels: dict[str, str] = {}
    requested_at: datetime
    state: State = "pending"
    sent_at: datetime | None = None
    send_count: int = 0


def add(conn: Connection, dispatch: Dispatch) -> bool:
    """Queue an attempt. False where it had been queued already."""
    dialect = postgresql if is_postgresql(conn.engine) else sqlite
    statement = dialect.insert(dispatches).values(_columns(dispatch)).on_conflict_do_nothing()
    return conn.execute(statement.returning(dispatches.c.attempt)).first() is not None


def get(conn: Connection, stream: str, attempt: int) -> Dispatch | None:
    row = conn.execute(select(dispatches).where(_is(stream, attempt))).one_or_none()
    return None if row is None else _dispatch(row)


def pending(conn: Connection, limit: int = 100, resend_after_seconds: float | None = None) -> list[Dispatch]:
    """What waits to be sent, best first: never sent, or (where asked) sent that long ago without effect."""
    due: ColumnElement[bool] = dispatches.c.sent_at.is_(None)
    if resend_after_seconds is not None:
        due = or_(due, dispatches.c.sent_at <= now_micros() - round(resend_after_seconds * 1_000_000))
    statement = select(dispatches).where(dispatches.c.state == "pending", due)
    return [_dispatch(row) for row in conn.execute(statement.order_by(*_BEST_FIRST).limit(limit))]


def waiting(conn: Connection, limit: int = 1000) -> list[Dispatch]:
    """All that no worker has claimed yet, best first."""
    statement = select(dispatches).where(dispatches.c.state == "pending")
    return [_dispatch(row) for row in conn.execute(statement.order_by(*_BEST_FIRST).limit(limit))]


def mark_sent(conn: Connection, stream: str, attempt: int) -> bool:
    """A message has gone out for it. False where it does not wait any more."""
    sent = {"sent_at": now_micros(), "send_count": dispatches.c.send_count + 1}
    return _change(conn, stream, attempt, ("pending",), sent)


def mark_claimed(conn: Connection, stream: str, attempt: int) -> bool:
    """A worker takes it, in the transaction of its claim. False where somebody else was faster."""
    return _change(conn, stream, attempt, ("pending",), {"state": "claimed"})


def mark_done(conn: Connection, stream: str, attempt: int) -> bool:
    """Nothing is to be done for it any more. False where it was done already or never queued."""
    return _change(conn, stream, attempt, ("pending", "claimed"), {"state": "done"})


def best(
    conn: Connection,
    *,
    recipes: Collection[tuple[str, str]],
    serves: Callable[[DeviceRequest, dict[str, str]], bool] = lambda device, labels: True,
    passing_over: Collection[Stream] = (),
) -> Dispatch | None:
    """The pending row of highest priority, then lowest position, that a worker can execute.

    `recipes` are (name, digest) pairs, `serves` answers for the device request and the labels. None where
    there is nothing for this worker.
    """
    for found in _candidates(conn, recipes):
        if found.stream not in passing_over and serves(found.device, found.labels):
            return found
    return None


_BEST_FIRST = (dispatches.c.priority.desc(), dispatches.c.position, dispatches.c.attempt)


def _candidates(conn: Connection, recipes: Collection[tuple[str, str]]) -> Iterator[Dispatch]:
    """Page by key, so that rows which nobody serves cannot hide others and memory stays small."""
    served = tuple_(dispatches.c.recipe, dispatches.c.recipe_digest).in_(list(recipes))
    statement = select(dispatches).where(dispatches.c.state == "pending", served)
    statement = statement.order_by(*_BEST_FIRST).limit(SCAN_ROWS)
    page = [_dispatch(row) for row in conn.execute(statement)]
    while page:
        yield from page
        page = [_dispatch(row) for row in conn.execute(statement.where(_after(page[-1])))]


def _after(last: Dispatch) -> ColumnElement[bool]:
    row = dispatches.c
    behind = and_(row.position == last.position, row.attempt > last.attempt)
    return or_(
        row.priority < last.priority,
        and_(row.priority == last.priority, or_(row.position > last.position, behind)),
    )


def _change(
    conn: Connection, stream: str, attempt: int, states: tuple[State, ...], values: Mapping[str, object]
) -> bool:
    where = and_(_is(stream, attempt), dispatches.c.state.in_(states))
    return conn.execute(update(dispatches).where(where).values(values)).rowcount == 1


def _is(stream: str, attempt: int) -> ColumnElement[bool]:
    return and_(dispatches.c.stream == stream, dispatches.c.attempt == attempt)


def _columns(dispatch: Dispatch) -> dict[str, object]:
    return {
        **msgspec.structs.asdict(dispatch),
        "device": msgspec.json.encode(dispatch.device).decode(),
        "labels": msgspec.json.encode(dispatch.labels).decode(),
        "requested_at": to_micros(dispatch.requested_at),
        "sent_at": None if dispatch.sent_at is None else to_micros(dispatch.sent_at),
    }


_device_decoder = msgspec.json.Decoder(DeviceRequest)
_labels_decoder = msgspec.json.Decoder(dict[str, str])


def _dispatch(row: Row[tuple[object, ...]]) -> Dispatch:
    return Dispatch(
        stream=row.stream,
        attempt=row.attempt,
        position=row.position,
        recipe=row.recipe,
        recipe_digest=row.recipe_digest,
        priority=row.priority,
        device=_device_decoder.decode(row.device),
        labels=_labels_decoder.decode(row.labels),
        requested_at=from_micros(row.requested_at),
        state=row.state,
        sent_at=None if row.sent_at is None else from_micros(row.sent_at),
        send_count=row.send_count,
    )
