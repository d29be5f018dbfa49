"""Many viewers of one API process: each gets every event, and the memory does not run away."""

from __future__ import annotations

import pytest

from tests.benchmarks.viewers import measure

VIEWERS = 400
"""More than the connections that the server takes when it is not told how many."""
MOST_MIB = 100


@pytest.mark.system
@pytest.mark.slow
def test_every_viewer_gets_every_event_in_order_while_others_ask() -> None:
    found = measure(VIEWERS, seconds=4.0)
    assert (found.viewers, found.in_order) == (VIEWERS, VIEWERS)
    assert found.events == 20
    assert found.more_mib < MOST_MIB
