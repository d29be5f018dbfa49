"""The log that is replayed by the benchmarks is lawful: every projection takes all of it."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Engine

from runledger.projections.builds import reading
from runledger.projections.positions import status
from runledger.projections.rebuilding import rebuild
from runledger.tracker.ids import kind_of
from runledger.tracker.store.log import Log
from tests.benchmarks import histories
from tests.benchmarks.rebuild import read_bare, read_log, read_once

EVENTS = 6_000


def test_the_history_has_the_mix_that_is_told_and_is_read_whole(log: Log, views: Engine) -> None:
    histories.tell(log, EVENTS)
    done = rebuild(log, views, grace_seconds=0.0)
    assert (done.events, done.position) == (EVENTS, EVENTS)
    with reading(views) as conn:
        assert all(each.stopped is None and each.lag == 0 for each in status(conn, EVENTS))
    read_once(views)
    read_bare(log.engine, EVENTS)
    read_log(log)
    kinds = Counter(kind_of(each.stream) for page in (0, 5_000) for each in log.tail(page).events)
    assert sum(kinds.values()) == EVENTS
    assert 0.82 < kinds["telemetry"] / EVENTS < 0.90
    assert set(kinds) == {"run", "telemetry", "evaluation", "experiment", "dataset", "benchmark"}
