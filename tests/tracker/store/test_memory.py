"""What is promised of every log, the one in memory and the one in a database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from runledger.tracker.envelope import GENESIS, Fence, chain_hash
from runledger.tracker.errors import BadInput, EventIdTaken, Fenced, WrongExpectedVersion
from runledger.tracker.ids import Stream
from runledger.tracker.store.engine import open_ledger
from runledger.tracker.store.log import Log
from runledger.tracker.store.memory import InMemoryLog
from tests.tracker.store.samples import noted, to

AnyLog = InMemoryLog | Log


@pytest.fixture(params=["memory", "sqlite"])
def any_log(request: pytest.FixtureRequest) -> Iterator[AnyLog]:
    if request.param == "memory":
        yield InMemoryLog()
        return
    engine = open_ledger(request.getfixturevalue("sqlite_databases").migrated()[0])
    log = Log(engine)
    yield log
    log.close()
    engine.dispose()


def test_what_was_appended_is_read_back_as_it_was(any_log: AnyLog) -> None:
    new = noted("one")
    write = to("run-1", 0, new, noted("two"))
    assert any_log.append(write) == 2
    one, two = any_log.read("run-1")
    assert (one.event_id, one.event, one.occurred_at, one.actor) == (
        new.event_id,
        new.event,
        new.occurred_at,
        "test",
    )
    assert (one.position, one.version, two.position, two.version) == (1, 1, 2, 2)
    assert (one.prev_hash, two.prev_hash) == (GENESIS, one.hash)
    assert two.hash == chain_hash(any_log.log_id, write, 1, 1, two.payload, one.hash)
    assert any_log.event(new.event_id) == one
    assert any_log.last("run-1") == two


def test_all_writes_go_through_or_none(any_log: AnyLog) -> None:
    assert any_log.append(to("run-1", 0), to("run-2", 0), to("run-1", 1)) == 3
    with pytest.raises(WrongExpectedVersion):
        any_log.append(to("run-2", 1), to("run-1", 0))
    assert (any_log.version("run-1"), any_log.version("run-2"), any_log.head()) == (2, 1, 3)


def test_the_same_events_again_are_a_success_at_their_position(any_log: AnyLog) -> None:
    write = to("run-1", 0, noted(), noted())
    any_log.append(write)
    any_log.append(to("run-1", 2))
    assert any_log.append(write) == 2
    with pytest.raises(EventIdTaken):
        any_log.append(to("run-2", 0, *write.events))
    assert any_log.head() == 3


def test_an_append_without_events_or_with_a_bad_name_is_refused(any_log: AnyLog) -> None:
    with pytest.raises(ValueError, match="at least one event"):
        any_log.append()
    with pytest.raises(BadInput):
        any_log.append(to("run-\0", 0))


def test_a_stream_is_read_from_a_version(any_log: AnyLog) -> None:
    any_log.append(to("run-1", 0, *(noted() for _ in range(5))))
    assert [row.version for row in any_log.read("run-1", after=2, limit=2)] == [3, 4]
    assert any_log.read("run-2") == []
    assert any_log.last("run-2") is None


def test_a_page_says_how_far_it_has_looked(any_log: AnyLog) -> None:
    for stream in ("run-1", "telemetry-1-1", "run-2", "telemetry-1-2"):
        any_log.append(to(stream, 0))
    assert [row.position for row in any_log.tail(1).events] == [2, 3, 4]
    page = any_log.tail(0, kinds=["run"])
    assert ([row.position for row in page.events], page.scanned) == ([1, 3], 4)
    page = any_log.tail(0, limit=1, kinds=["run"])
    assert ([row.position for row in page.events], page.scanned) == ([1], 1)
    assert any_log.tail(4).scanned == 4


def test_what_is_raised_within_an_append_refuses_it(any_log: AnyLog) -> None:
    def refuse(connection: object) -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        any_log.append(to("run-1", 0), within=refuse)
    assert any_log.head() == 0


def test_nothing_is_done_within_an_append_that_is_refused_or_was_done(any_log: AnyLog) -> None:
    done: list[object] = []
    write = to("run-1", 0)
    for _ in range(2):
        any_log.append(write, within=done.append)
    with pytest.raises(WrongExpectedVersion):
        any_log.append(to("run-1", 5), within=done.append)
    assert any_log.head() == 1


def test_a_fence_that_nobody_holds_refuses_the_append(any_log: AnyLog) -> None:
    with pytest.raises(Fenced):
        any_log.append(to("run-1", 0), fence=Fence(stream=Stream("run-1"), epoch=1))


def test_the_holder_of_the_epoch_goes_through_and_its_facts_stay_known() -> None:
    log = InMemoryLog()
    stream = Stream("run-1")
    log.epochs[stream] = 1
    write = to(stream, 0)
    assert log.append(write, fence=Fence(stream=stream, epoch=1)) == 1
    log.epochs[stream] = 2
    assert log.append(write, fence=Fence(stream=stream, epoch=1)) == 1


def test_recorded_at_never_goes_back() -> None:
    times = iter([datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)])
    log = InMemoryLog(clock=lambda: next(times))
    log.append(to("run-1", 0))
    log.append(to("run-1", 1))
    first, second = log.read("run-1")
    assert first.recorded_at == second.recorded_at


@pytest.mark.parametrize("epoch", [-1, 2**63, 10**30])
def test_an_epoch_that_no_lease_could_be_in_is_refused(any_log: AnyLog, epoch: int) -> None:
    with pytest.raises(Fenced):
        any_log.append(to("run-1", 0), fence=Fence(stream=Stream("run-1"), epoch=epoch))
    with pytest.raises(BadInput):
        any_log.append(to("run-1", 0), fence=Fence(stream=Stream("run-\0"), epoch=1))
    assert any_log.head() == 0
