"""Questions about runs, asked of real events."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from projections import runs
from tests.projections.conftest import Story, requested


def test_a_requested_run_waits_in_the_queue(
    story: Story, catch_up: Callable[[], None], conn: Connection
) -> None:
    position = story.run("r1", requested("first", tags={"team": "nlp"}))
    catch_up()
    run = runs.get_run(conn, "r1")
    assert run is not None
    assert (run.status, run.position, run.version, run.name) == ("queued", position, 1, "first")
    assert run.params == {"seed": 7, "model.width": 64}
