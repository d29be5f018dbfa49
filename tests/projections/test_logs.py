"""Where the bytes of an attempt's output lie."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from runledger.projections import logs
from runledger.tracker.events.telemetry import LogsRecorded
from runledger.tracker.ids import Digest
from tests.projections.conftest import Story


def recorded(start: int, size: int) -> LogsRecorded:
    return LogsRecorded(start=start, size_bytes=size, digest=Digest(f"l{start}"))


def test_chunks_are_in_order_and_cut_to_a_range(
    story: Story, catch_up: Callable[[], None], conn: Connection
) -> None:
    story.tell("telemetry-r1-1", recorded(0, 10), recorded(10, 5), recorded(15, 20))
    story.tell("telemetry-r1-2", recorded(0, 3))
    catch_up()
    assert [(each.start, each.size_bytes, each.digest) for each in logs.chunks(conn, "r1", 1)] == [
        (0, 10, "l0"),
        (10, 5, "l10"),
        (15, 20, "l15"),
    ]
    assert [each.start for each in logs.chunks(conn, "r1", 1, start=10, end=15)] == [10]
    assert [each.start for each in logs.chunks(conn, "r1", 1, start=9, end=16)] == [0, 10, 15]
    assert logs.chunks(conn, "r1", 1, start=35) == ()


def test_each_attempt_has_its_own_output(
    story: Story, catch_up: Callable[[], None], conn: Connection
) -> None:
    story.tell("telemetry-a-b-1", recorded(0, 10), recorded(10, 5))
    story.tell("telemetry-a-b-2", recorded(0, 3))
    catch_up()
    assert [(each.attempt, each.size_bytes, each.chunks) for each in logs.logs(conn, "a-b")] == [
        (1, 15, 2),
        (2, 3, 1),
    ]
    assert logs.logs(conn, "nobody") == ()
