"""How far the projections have come, and waiting for them."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, Engine

from runledger.projections.catalogue import PROJECTIONS
from runledger.projections.errors import NotCaughtUp
from runledger.projections.positions import lag, position, positions, status, wait_for
from runledger.projections.runner import Runner
from runledger.tracker.store.log import Log
from tests.projections.conftest import Story, requested


def test_positions_begin_at_nothing_and_reach_the_head(
    story: Story, log: Log, catch_up: Callable[[], None], conn: Connection
) -> None:
    assert set(positions(conn).values()) == {0}
    story.run("r1", requested())
    assert lag(conn, log)["runs"] == 1
    catch_up()
    assert set(positions(conn).values()) == {log.head()}
    assert set(lag(conn, log).values()) == {0}
    assert {each.name: each.version for each in status(conn, log.head())} == {
        each.name: each.version for each in PROJECTIONS
    }


def test_an_unknown_projection_has_no_position(conn: Connection) -> None:
    with pytest.raises(KeyError):
        position(conn, "nothing")


def test_waiting_ends_when_the_projections_are_there(story: Story, log: Log, views: Engine) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=Runner(log, views).run, args=[stop])
    thread.start()
    wait_for(views, story.run("r1", requested()), 30)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


def test_waiting_is_bounded(story: Story, views: Engine) -> None:
    at = story.run("r1", requested())
    with pytest.raises(NotCaughtUp) as caught:
        wait_for(views, at, 0.02, names=["runs"])
    assert (caught.value.projection, caught.value.wanted, caught.value.position) == ("runs", at, 0)
