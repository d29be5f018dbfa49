"""`?as_of=`: a position of the log or a time, and what an answer says of the past that it tells of.

A time means the last event that the log had taken in by then: its times never go back, so that is found by
halving. The answer is by today's rules over the log of then; its headers name the position and the versions
of the projections that it was read from.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.datastructures import MutableScopeHeaders, State
from litestar.params import QueryParameter
from litestar.types import Message, Scope
from sqlalchemy import select

from runledger.api.backend import Backend
from runledger.api.errors import BeyondHead, Fault, Invalid
from runledger.api.http.given import GivenBackend
from runledger.api.http.parameters import LAST_POSITION
from runledger.projections import catalogue
from runledger.tracker.envelope import to_micros
from runledger.tracker.store.tables import events, head

POSITION_HEADER = "X-As-Of"
PROJECTIONS_HEADER = "X-Projections"
_SCOPE = "runledger_as_of"
_POSITION = re.compile("[0-9]{1,19}")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d{1,6})?\d*(?:[Zz]|([+\- ])(\d\d:\d\d))", re.ASCII
)


async def provide_as_of(
    backend: GivenBackend,
    request: Request[str, Any, State],
    moment: Annotated[
        str | None,
        QueryParameter(
            name="as_of",
            required=False,
            description="Answer as things stood at this position of the log, or at this time (RFC 3339).",
            schema_extra={
                "pattern": r"^([0-9]{1,18}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}(Z|[+-][0-9:]{5}))$"
            },
        ),
    ] = None,
) -> int | None:
    """The position, once the read models have seen it.

    Raises `Invalid`, `BeyondHead`, `PositionNotReached`.
    """
    if moment is None:
        return None
    projections = tuple(request.route_handler.opt.get("projections", ()))
    position = await sync_to_thread(position_of, backend, moment, datetime.now(UTC))
    await backend.caught_up(position, projections)
    request.scope[_SCOPE] = (position, projections)  # type: ignore[literal-required]
    return position


def position_of(backend: Backend, moment: str, now: datetime) -> int:
    """Raises `Invalid` for what is neither a position nor a time, `BeyondHead` for what is still to come."""
    if _POSITION.fullmatch(moment) and int(moment) <= LAST_POSITION:
        position, end = int(moment), backend.log.head()
        if position > end:
            raise BeyondHead(moment, end)
        return position
    time = _time(moment)
    if time > now:
        raise BeyondHead(moment, backend.log.head())
    return _last_until(backend, to_micros(time))


async def tell_as_of(message: Message, scope: Scope) -> None:
    """The headers of an answer about the past. Litestar's hook before it sends."""
    told: Any = scope.get(_SCOPE)
    if told is None or message["type"] != "http.response.start":
        return
    position, projections = told
    headers = MutableScopeHeaders.from_message(message)
    headers[POSITION_HEADER] = str(position)
    headers[PROJECTIONS_HEADER] = ", ".join(catalogue.find(name).cursor for name in projections)


def _time(moment: str) -> datetime:
    """In an address a `+` that was not escaped is a space."""
    found = _TIME.fullmatch(moment)
    if found is None:
        raise Invalid(
            [Fault("query: as_of", "must be a position of the log or a time like 2026-11-21T12:00:00Z")]
        )
    day, clock, fraction, sign, offset = found.groups()
    zone = f"{'-' if sign == '-' else '+'}{offset}" if offset else "+00:00"
    try:
        return datetime.fromisoformat(
            f"{day}T{clock}{(fraction or '').ljust(7, '0') if fraction else ''}{zone}"
        )
    except ValueError as problem:
        raise Invalid([Fault("query: as_of", f"is no time: {problem}")]) from None


def _last_until(backend: Backend, micros: int) -> int:
    """The last position whose event the log took in at `micros` or before; 0 where there is none."""
    with backend.rows() as conn:
        end = conn.execute(select(head.c.position, head.c.recorded_at)).one()
        if end.recorded_at <= micros:
            return int(end.position)
        known, beyond = 0, int(end.position)
        while beyond - known > 1:
            middle = (known + beyond) // 2
            at = conn.scalar(select(events.c.recorded_at).where(events.c.position == middle))
            known, beyond = (middle, beyond) if at is not None and at <= micros else (known, middle)
    return known
