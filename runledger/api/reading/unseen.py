"""What a read model does not show: unknown, or only not yet seen. The log tells which.

A run that is not yet seen is told from the log by the read model's own rules: its events are few, so they
are folded into tables in memory and asked there. One set of rules, whatever is asked. This makes a run
readable at once, and keeps it so while the projections are down.
"""

from __future__ import annotations

from typing import NoReturn

from sqlalchemy import create_engine

from runledger.api.backend import Backend
from runledger.api.errors import PositionNotReached
from runledger.projections import runs
from runledger.projections.projection import fact_of
from runledger.projections.runs import RunView
from runledger.projections.tables import views
from runledger.tracker.errors import NotFound
from runledger.tracker.ids import RunId, run_stream
from runledger.tracker.store.log import Log


def run_from_log(log: Log, run_id: str, as_of: int | None) -> RunView:
    """Raises `NotFound`, also where the run was requested after `as_of`."""
    facts = [fact_of(recorded) for recorded in log.read(run_stream(RunId(run_id)))]
    scratch = create_engine("sqlite://")
    with scratch.begin() as conn:
        views.create_all(conn, tables=runs.PROJECTION.tables)
        runs.PROJECTION.fold(conn, facts)(conn)
        view = runs.get_run(conn, run_id, as_of)
    scratch.dispose()
    if view is None:
        raise NotFound("run", run_id)
    return view


def not_seen(backend: Backend, kind: str, id: str, as_of: int | None = None) -> NoReturn:
    """Raises `NotFound`, or `PositionNotReached` for what the log has and the read model has not."""
    last = backend.log.last(f"{kind}-{id}")
    if last is None or as_of is not None:
        raise NotFound(kind, id)
    raise PositionNotReached(last.position, backend.reached())
