"""The log's contract, on both databases."""

from __future__ import annotations

from uuid import uuid4

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from runledger.tracker.envelope import GENESIS, Fence, Write, chain_hash
from runledger.tracker.errors import BadInput, EventIdTaken, Fenced, StoreUnavailable, WrongExpectedVersion
from runledger.tracker.events.run import RunNoted
from runledger.tracker.store import leases
from runledger.tracker.store.appends import Tip, prepare
from runledger.tracker.store.commit import settle
from runledger.tracker.store.cursors import advance, read_cursor
from runledger.tracker.store.engine import is_postgresql, read, write
from runledger.tracker.store.log import Log
from runledger.tracker.store.tables import cursors
from tests.tracker.store.samples import noted, to


def test_what_was_appended_is_read_back_as_it_was(log: Log) -> None:
    first, second = noted("one"), noted("two")
    assert log.append(to("run-1", 0, first, second)) == 2
    one, two = log.read("run-1")
    assert (one.position, one.version, one.event_id, one.event) == (1, 1, first.event_id, first.event)
    assert (two.position, two.version, two.occurred_at) == (2, 2, second.occurred_at)
    assert (two.actor, two.correlation_id, two.causation_id) == ("test", "because", None)
    assert (two.type, two.schema) == ("RunNoted", 1)
    assert log.head() == 2


def test_each_event_is_hashed_on_to_its_predecessor_in_the_stream(log: Log) -> None:
    one, two, three = to("run-1", 0), to("run-2", 0), to("run-1", 1)
    for each in (one, two, three):
        log.append(each)
    first, third = log.read("run-1")
    assert (first.prev_hash, third.prev_hash) == (GENESIS, first.hash)
    assert third.hash == chain_hash(log.log_id, three, 0, 1, third.payload, first.hash)
    assert log.read("run-2")[0].prev_hash == GENESIS


def test_several_streams_are_appended_together_or_not_at_all(log: Log) -> None:
    assert log.append(to("run-1", 0), to("evaluation-1", 0, noted(), noted())) == 3
    with pytest.raises(WrongExpectedVersion):
        log.append(to("run-1", 1), to("evaluation-1", 7))
    assert (log.version("run-1"), log.version("evaluation-1"), log.head()) == (1, 2, 3)


def test_two_writes_to_one_stream_follow_each_other(log: Log) -> None:
    assert log.append(to("run-1", 0), to("run-2", 0), to("run-1", 1)) == 3
    assert [recorded.position for recorded in log.read("run-1")] == [1, 3]


@pytest.mark.parametrize("expected", [0, 1, 3, 9])
def test_a_stream_at_another_version_refuses_the_append(log: Log, expected: int) -> None:
    log.append(to("run-1", 0, noted(), noted()))
    with pytest.raises(WrongExpectedVersion) as refusal:
        log.append(to("run-1", expected))
    assert (refusal.value.stream, refusal.value.expected, refusal.value.actual) == ("run-1", expected, 2)
    assert log.head() == 2


def test_the_same_events_again_are_a_success_at_their_position(log: Log) -> None:
    write_ = to("run-1", 0, noted(), noted())
    assert log.append(write_) == 2
    log.append(to("run-1", 2))
    assert log.append(write_) == 2
    assert log.append(to("run-1", 3, *write_.events)) == 2
    assert log.head() == 3


def test_the_same_append_twice_at_the_same_time_is_recorded_once(log: Log) -> None:
    write_ = to("run-1", 0, noted(), noted())
    futures = [log.append_soon(write_) for _ in range(20)]
    assert {future.result() for future in futures} == {2}
    assert log.head() == 2


def test_an_event_id_of_another_event_is_refused(log: Log) -> None:
    known = noted()
    log.append(to("run-1", 0, known))
    with pytest.raises(EventIdTaken) as refusal:
        log.append(to("run-2", 0, known))
    assert refusal.value.event_id == known.event_id
    with pytest.raises(EventIdTaken):
        log.append(to("run-1", 0, known, noted()))
    assert log.head() == 1


def test_a_refused_append_does_not_fail_its_neighbours(log: Log) -> None:
    log.append(to("run-0", 0))
    futures = [log.append_soon(to(f"run-{number}", 0)) for number in range(40)]
    with pytest.raises(WrongExpectedVersion):
        futures[0].result()
    assert sorted(future.result() for future in futures[1:]) == list(range(2, 41))


def test_appends_sent_off_in_a_row_to_one_stream_all_go_through(log: Log) -> None:
    futures = [log.append_soon(to("telemetry-1-1", version)) for version in range(200)]
    assert [future.result() for future in futures] == list(range(1, 201))


def test_positions_are_dense_after_refusals(log: Log) -> None:
    for version in range(5):
        log.append(to("run-1", version))
        with pytest.raises(WrongExpectedVersion):
            log.append(to("run-1", version))
    assert [recorded.position for recorded in log.tail(0).events] == [1, 2, 3, 4, 5]


def test_recorded_at_never_goes_back(log: Log, ledger: Engine) -> None:
    log.append(to("run-1", 0))
    with write(ledger) as conn:
        conn.execute(text("UPDATE head SET recorded_at = recorded_at + 3600000000"))
    log.append(to("run-1", 1))
    log.append(to("run-2", 0))
    first, second, third = log.tail(0).events
    assert 3600 <= (second.recorded_at - first.recorded_at).total_seconds() < 3700
    assert second.recorded_at == third.recorded_at


def test_an_empty_append_is_a_mistake(log: Log) -> None:
    for nothing in ((), (Write(stream=to("run-1", 0).stream, expected_version=0, events=()),)):
        with pytest.raises(ValueError, match="at least one event"):
            log.append(*nothing)


@pytest.mark.parametrize("stream", ["run-\0", "run-\ud800"])
def test_text_that_no_database_keeps_is_refused_by_name(log: Log, stream: str) -> None:
    with pytest.raises(BadInput, match="stream"):
        log.append(to(stream, 0))


def test_a_stream_is_read_from_a_version_and_backwards(log: Log) -> None:
    log.append(to("run-1", 0, *(noted() for _ in range(5))))
    assert [recorded.version for recorded in log.read("run-1", after=2, limit=2)] == [3, 4]
    assert [recorded.version for recorded in log.read_backwards("run-1", limit=2)] == [5, 4]
    assert [recorded.version for recorded in log.read_backwards("run-1", before=3, limit=9)] == [2, 1]
    last = log.last("run-1")
    assert last is not None
    assert last.version == 5
    assert log.last("run-9") is None
    assert log.read("run-9") == []
    assert log.version("run-9") == 0


def test_an_event_is_found_by_its_id(log: Log) -> None:
    known = noted("this one")
    log.append(to("run-1", 0, noted(), known, noted()))
    found = log.event(known.event_id)
    assert found is not None
    assert (found.position, found.event) == (2, RunNoted(note="this one"))
    assert log.event(uuid4()) is None


def test_the_tail_is_read_in_pages(log: Log) -> None:
    log.append(to("run-1", 0, *(noted() for _ in range(7))))
    pages = [log.tail(after, limit=3) for after in (0, 3, 6, 7)]
    assert [[recorded.position for recorded in page.events] for page in pages] == [
        [1, 2, 3],
        [4, 5, 6],
        [7],
        [],
    ]
    assert [page.scanned for page in pages] == [3, 6, 7, 7]


def test_a_filtered_tail_says_how_far_it_has_looked(log: Log) -> None:
    log.append(to("run-1", 0), to("telemetry-1-1", 0, noted(), noted()), to("runner-1", 0))
    only_runs = log.tail(0, kinds=["run"])
    assert ([recorded.stream for recorded in only_runs.events], only_runs.scanned) == (["run-1"], 4)
    page = log.tail(0, kinds={"telemetry", "runner"}, limit=2)
    assert ([recorded.position for recorded in page.events], page.scanned) == ([2, 3], 3)
    assert log.tail(0, kinds=["sweep"]).scanned == 4
    assert (log.tail(4, kinds=["sweep"]).scanned, log.tail(0, kinds=[]).events) == (4, [])


def test_a_page_is_bounded_by_bytes(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runledger.tracker.store.log.PAGE_BYTES", 1000)
    monkeypatch.setattr("runledger.tracker.store.log.FETCH_EVENTS", 2)
    log.append(to("run-1", 0, *(noted("x" * 600) for _ in range(6))))
    page = log.tail(0)
    assert ([recorded.position for recorded in page.events], page.scanned) == ([1, 2], 2)


def test_what_is_done_within_an_append_is_committed_with_it(log: Log, ledger: Engine) -> None:
    position = log.append(to("run-1", 0), within=lambda conn: advance(conn, cursors, "relay", 0, 5))
    with read(ledger) as conn:
        assert (position, read_cursor(conn, cursors, "relay")) == (1, 5)


def test_what_is_raised_within_an_append_refuses_all_of_it(log: Log, ledger: Engine) -> None:
    def refuse(conn: Connection) -> None:
        advance(conn, cursors, "relay", 0, 5)
        raise LookupError("nothing to claim")

    with pytest.raises(LookupError):
        log.append(to("run-1", 0), within=refuse)
    with read(ledger) as conn:
        assert (log.head(), read_cursor(conn, cursors, "relay")) == (0, 0)


def test_a_refused_append_undoes_what_was_done_within_it(log: Log, ledger: Engine) -> None:
    with pytest.raises(WrongExpectedVersion):
        log.append(to("run-1", 4), within=lambda conn: advance(conn, cursors, "relay", 0, 5))
    with read(ledger) as conn:
        assert read_cursor(conn, cursors, "relay") == 0


def test_an_append_may_say_which_event_it_follows(log: Log, ledger: Engine) -> None:
    first, second = noted(), noted()
    log.append(to("run-1", 0, first))
    another, fresh = replace(to("run-1", 1), follows=uuid4()), Log(ledger)
    for each in (log, fresh):
        for way in (None, lambda conn: None):
            with pytest.raises(WrongExpectedVersion):
                each.append(another, within=way)
    assert fresh.append(replace(to("run-1", 1, second), follows=first.event_id)) == 2
    assert log.append(replace(to("run-1", 2), follows=second.event_id)) == 3
    assert log.append(replace(to("run-1", 3), follows=log.read("run-1")[2].event_id)) == 4
    fresh.close()


def test_an_append_that_was_done_before_does_nothing_within_again(log: Log) -> None:
    write_ = to("run-1", 0)
    log.append(write_)
    assert log.append(write_, within=lambda conn: pytest.fail("done twice")) == 1


def test_the_holder_of_the_lease_may_append_and_a_zombie_may_not(log: Log, ledger: Engine) -> None:
    with write(ledger) as conn:
        epoch = leases.claim(conn, "run-1", 1, "worker-1", 60)
    assert epoch is not None
    fence = Fence(stream="run-1", epoch=epoch)
    assert log.append(to("run-1", 0), fence=fence) == 1
    with write(ledger) as conn:
        assert leases.revoke(conn, "run-1", epoch)
    for way in (None, lambda conn: None):
        with pytest.raises(Fenced) as refusal:
            log.append(to("run-1", 1), fence=fence, within=way)
        assert (refusal.value.stream, refusal.value.epoch) == ("run-1", epoch)
    assert log.head() == 1


def test_what_was_recorded_under_a_fence_is_found_after_it_fell(log: Log, ledger: Engine) -> None:
    with write(ledger) as conn:
        epoch = leases.claim(conn, "run-1", 1, "worker-1", 60) or 0
    write_, fence = to("run-1", 0), Fence(stream="run-1", epoch=epoch)
    log.append(write_, fence=fence)
    with write(ledger) as conn:
        leases.release(conn, "run-1", epoch)
    assert log.append(write_, fence=fence) == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET actor = 'somebody else'",
        "UPDATE events SET position = position + 10",
        "DELETE FROM events",
        "DELETE FROM events WHERE position = 2",
        "UPDATE log_info SET log_id = 'another'",
        "DELETE FROM log_info",
        "INSERT INTO log_info VALUES ('another', 0)",
        "INSERT INTO events SELECT * FROM events WHERE position = 1 "
        "ON CONFLICT (position) DO UPDATE SET actor = 'somebody else'",
    ],
)
def test_history_refuses_to_be_changed(log: Log, ledger: Engine, change: str) -> None:
    log.append(to("run-1", 0, noted(), noted()))
    before = log.tail(0).events
    with pytest.raises(DBAPIError), write(ledger) as conn:
        conn.execute(text(change))
    assert log.tail(0).events == before


def test_history_refuses_each_way_of_its_database(log: Log, ledger: Engine) -> None:
    log.append(to("run-1", 0, noted(), noted()))
    before = log.tail(0).events
    if is_postgresql(ledger):
        ways = ["TRUNCATE events", "SET session_replication_role = replica; DELETE FROM events"]
    else:
        ways = [
            "INSERT OR REPLACE INTO events SELECT * FROM events WHERE position = 1",
            "INSERT OR REPLACE INTO events SELECT 9, stream, version, event_id, type, schema, recorded_at, "
            "occurred_at, 'other', NULL, NULL, prev_hash, hash, payload FROM events WHERE position = 1",
            "PRAGMA recursive_triggers = OFF",
            "INSERT OR REPLACE INTO events SELECT * FROM events WHERE position = 1",
            "UPDATE OR REPLACE events SET position = 1 WHERE position = 2",
        ]
    for way in ways:
        if way.startswith("PRAGMA"):
            with read(ledger) as conn:
                conn.execute(text(way))
            continue
        with pytest.raises(DBAPIError, match="append-only"), write(ledger) as conn:
            conn.execute(text(way))
    assert log.tail(0).events == before


def test_a_closed_log_takes_what_was_sent_and_nothing_more(log: Log) -> None:
    futures = [log.append_soon(to(f"run-{number}", 0)) for number in range(50)]
    log.close()
    assert [future.result() for future in futures] == list(range(1, 51))
    with pytest.raises(StoreUnavailable, match="closed"):
        log.append(to("run-a", 0))
    assert log.head() == 50


def test_what_another_process_has_appended_is_built_upon(log: Log, ledger: Engine) -> None:
    other = Log(ledger)
    for version in range(0, 6, 2):
        assert log.append(to("run-1", version)) == version + 1
        assert other.append(to("run-1", version + 1)) == version + 2
    hashes = [each.hash for each in log.read("run-1")]
    assert [each.prev_hash for each in log.read("run-1")] == [GENESIS, *hashes[:-1]]
    other.close()


def test_what_is_remembered_of_a_stream_is_not_trusted_blindly(log: Log) -> None:
    """As after a restore from a backup, while this process lived on."""
    log.append(to("run-1", 0), to("run-2", 0))
    log._committer._known |= {"run-1": Tip(5, b"x" * 32), "run-2": Tip(1, b"x" * 32)}
    with pytest.raises(WrongExpectedVersion) as refusal:
        log.append(to("run-1", 5))
    assert refusal.value.actual == 1
    assert log.append(to("run-2", 1)) == 3
    first, second = log.read("run-2")
    assert second.prev_hash == first.hash


def test_several_fences_share_a_commit_and_one_that_fell_fails_alone(log: Log, ledger: Engine) -> None:
    with write(ledger) as conn:
        epochs = [leases.claim(conn, f"run-{number}", 1, "worker", 60) or 0 for number in range(6)]
        leases.revoke(conn, "run-3", epochs[3])
    futures = [
        log.append_soon(to(f"run-{number}", 0), fence=Fence(stream=f"run-{number}", epoch=epochs[number]))
        for number in range(6)
    ]
    with pytest.raises(Fenced):
        futures[3].result()
    assert sorted(future.result() for future in futures if future is not futures[3]) == [1, 2, 3, 4, 5]


def test_the_careful_way_settles_each_append_for_itself(log: Log, ledger: Engine) -> None:
    log.append(to("run-0", 0))
    good, other = prepare([to("run-1", 0, noted(), noted())], None), prepare([to("run-2", 0)], None)
    late = prepare([to("run-1", 0)], None)
    with write(ledger) as conn:
        first, again, refused, last = settle(conn, log.log_id, [good, good, late, other], {})
    assert (first, again, last) == (3, 3, 4)
    assert isinstance(refused, WrongExpectedVersion)
    assert [each.stream for each in log.tail(0).events] == ["run-0", "run-1", "run-1", "run-2"]
