"""Facts straight from the rows of the log, for those who read all of it: only the columns that folds use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine

from runledger.projections.projection import Fact
from runledger.tracker import events
from runledger.tracker.store.direct import Direct
from runledger.tracker.store.engine import is_postgresql

_SELECT = (
    "SELECT position, stream, version, type, schema, recorded_at, occurred_at, actor, payload"
    " FROM events WHERE position > {0} AND position <= {0} ORDER BY position"
)
PORTION_EVENTS = 2_000


class Replay:
    """Reads the log's rows in the order of their positions, on a connection of its own."""

    def __init__(self, ledger: Engine) -> None:
        """Raises `StoreUnavailable`."""
        self._direct = Direct(ledger)
        self._select = _SELECT.format("%s" if is_postgresql(ledger) else "?")

    def rows(self, after: int, until: int, most_bytes: int) -> Iterator[tuple[Any, ...]]:
        """Behind `after`, up to `until`; no more portions once payloads come to `most_bytes`."""
        size_bytes = 0
        while after < until and size_bytes < most_bytes:
            end = min(until, after + PORTION_EVENTS)
            rows = self._direct.fetch(self._select, (after, end))
            yield from rows
            size_bytes += sum(len(row[-1]) for row in rows)
            after = end

    def close(self) -> None:
        self._direct.close()


def fact_of_row(row: tuple[Any, ...]) -> Fact:
    """Raises `UnknownEvent`, and msgspec's error for a payload that cannot be read."""
    position, stream, version, tag, schema, recorded_at, occurred_at, actor, payload = row
    kind, _, subject = stream.partition("-")
    event = events.decode(tag, schema, payload)
    return Fact(position, version, stream, kind, subject, recorded_at, occurred_at, actor, event)
