"""What the sink remembers, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runledger.projections.mlflow.errors import TakenOver
from runledger.projections.mlflow.state import Progress, RunState, SinkState, link, rebuild, status
from runledger.tracker.effective import Covers
from runledger.tracker.errors import CursorMoved
from runledger.tracker.store.engine import read

URL = "http://mlflow.test"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request):
    return request.param


@pytest.fixture
def state(views, told):
    state = SinkState(views, URL)
    state.begin([], told.clock())
    return state


def progress():
    return Progress(
        intent="run", tags={"ü": "1"}, written={2: Covers(version=3, offset=4)}, datasets=[("sums", "d")]
    )


def test_a_run_is_remembered_as_it_was_saved(state):
    saved = RunState(run_id="r", experiment="1", mirror="m", progress=progress())
    state.save(saved)
    assert state.load("r") == saved
    assert state.load("another") == RunState(run_id="another")


def test_only_one_of_two_writers_goes_on(state):
    state.save(RunState(run_id="r"))
    one, other = state.load("r"), state.load("r")
    state.save(one)
    state.save(one)
    with pytest.raises(TakenOver):
        state.save(other)
    with pytest.raises(TakenOver):
        state.save(RunState(run_id="r"))


def test_after_a_rebuild_nothing_is_written_until_mlflow_was_looked_at(state, views, told):
    state.save(RunState(run_id="r"))
    rebuild(views)
    assert state.is_new()
    with pytest.raises(TakenOver):
        state.save(RunState(run_id="r"))
    state.begin([RunState(run_id="r", mirror="m", progress=Progress(is_unchecked=True))], told.clock())
    assert not state.is_new()
    assert state.load("r").progress.is_unchecked


def test_the_cursor_moves_for_one_only(state):
    state.advance(0, 5)
    assert state.position() == 5
    with pytest.raises(CursorMoved):
        state.advance(0, 7)


def test_the_status_tells_how_the_sink_fares(state, views, told):
    state.advance(0, 5)
    state.note(told.clock(), "connection refused")
    state.save(RunState(run_id="a", experiment="1", mirror="m"), points=40)
    later = told.clock() + timedelta(seconds=60)
    state.save(RunState(run_id="b", problem="too long", failures=2, retry_at=later))
    with read(views) as conn:
        found = status(conn)
        assert link(conn, "b") is None
        assert link(conn, "a").url(URL) == f"{URL}/#/experiments/1/runs/m"
    assert (found.url, found.is_reachable, found.problem) == (URL, False, "connection refused")
    assert (found.lag(12), found.points, found.mirrored_runs) == (7, 40, 1)
    (quarantined,) = found.quarantined
    assert (quarantined.run_id, quarantined.reason, quarantined.retry_at) == ("b", "too long", later)
    assert state.due(told.clock()) == []
    state.retry_all(told.clock())
    assert state.due(told.clock()) == ["b"]
    state.release(state.load("b"))
    assert state.due(later) == []


def test_before_it_ever_answered_the_status_says_so(views, told):
    with read(views) as conn:
        assert status(conn).url is None
    SinkState(views, URL).note(told.clock(), "connection refused")
    with read(views) as conn:
        assert (status(conn).is_reachable, status(conn).url) == (False, URL)
    assert SinkState(views, URL).is_new()
