"""An event that a projection cannot take stops this one and no other; later code goes on from there."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, Engine

from runledger.projections.builds import reading
from runledger.projections.catalogue import PROJECTIONS
from runledger.projections.positions import positions, status
from runledger.projections.projection import Fact, Projection, Write
from runledger.projections.runner import Runner
from runledger.tracker.store.log import Log
from tests.projections.conftest import Story, rows_of
from tests.projections.lives import tell_lives


def refusing(projection: Projection, position: int) -> Projection:
    """As older code would: it does not understand the event there."""

    def fold(conn: Connection, batch: Sequence[Fact]) -> Write:
        if any(fact.position == position for fact in batch):
            raise ValueError("this one I cannot take")
        return projection.fold(conn, batch)

    return replace(projection, fold=fold)


@pytest.mark.parametrize("name", [each.name for each in PROJECTIONS])
def test_each_projection_stops_before_the_event_and_later_code_goes_on(
    story: Story, log: Log, views: Engine, name: str
) -> None:
    tell_lives(story, random.Random(23))
    (poisoned,) = [each for each in PROJECTIONS if each.name == name]
    read_by_it = log.tail(0, kinds=poisoned.kinds).events
    last_good, bad = read_by_it[len(read_by_it) // 2 - 1 :][:2]
    members = [refusing(each, bad.position) if each is poisoned else each for each in PROJECTIONS]

    older = Runner(log, views, members)
    older.catch_up()
    others = {each.name for each in PROJECTIONS} - {name}
    assert set(older.running) == others
    with reading(views) as conn:
        found = {each.name: each for each in status(conn, log.head())}
        reached = positions(conn)
    assert {other: reached[other] for other in others} == dict.fromkeys(others, log.head())
    stopped = found[name].stopped
    assert stopped is not None and all(found[other].stopped is None for other in others)
    assert (stopped.position, stopped.event_type) == (bad.position, bad.type)
    assert stopped.problem == "ValueError: this one I cannot take"
    assert last_good.position <= reached[name] < bad.position

    Runner(log, views).catch_up()
    with reading(views) as conn:
        assert all(each.stopped is None and each.lag == 0 for each in status(conn, log.head()))
    live = rows_of(views)
    assert any(live[table.name] for table in poisoned.tables)
