"""The relay: one dispatch row for each attempt that is asked for, whoever and how many relay."""

from __future__ import annotations

from typing import Any

import pytest

from runledger.tracker.aggregates.run import (
    FailRun,
    LoseAttempt,
    PreemptAttempt,
    RequestCancellation,
    RequestPause,
    ResumeRun,
    RetryRun,
    ReturnAttempt,
    StartAttempt,
)
from runledger.tracker.ids import RunId, run_stream
from runledger.tracker.spec import DeviceRequest
from runledger.tracker.store import dispatches
from runledger.tracker.store.cursors import read_cursor
from runledger.tracker.store.dispatches import Dispatch
from runledger.tracker.store.engine import read, write
from runledger.tracker.store.tables import cursors
from runledger.tracker.store.tables import dispatches as dispatch_rows
from runledger.trainer.relay import LOOK_SECONDS, Relay
from tests.trainer.world import SOMEBODY, World


class Broker:
    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []
        self.is_away = False

    def send(self, row: Dispatch) -> None:
        if self.is_away:
            raise ConnectionError("the broker is away")
        self.sent.append((row.stream, row.attempt))


def relay_all(relay: Relay) -> None:
    while relay.step():
        pass


def rows(world: World) -> list[Dispatch]:
    with read(world.engine) as conn:
        return dispatches.waiting(conn)


def say(world: World, command: Any) -> None:
    world.dispatcher.dispatch(command, SOMEBODY)


def start(world: World, run_id: RunId, attempt: int = 1) -> None:
    say(world, StartAttempt(run_id=run_id, attempt=attempt, worker="w", epoch=attempt))


def test_a_request_becomes_a_row_and_a_message(world: World) -> None:
    asked = {"device": DeviceRequest(kind="gpu"), "worker_labels": {"rack": "7"}}
    run_id = world.request(priority=3, asked=asked)
    broker = Broker()
    relay_all(Relay(world.log, broker.send))
    row = rows(world)[0]
    assert (row.stream, row.attempt, row.priority, row.recipe) == (run_stream(run_id), 1, 3, "toy")
    assert (row.device, row.labels) == (asked["device"], asked["worker_labels"])
    assert (broker.sent, row.send_count) == ([(run_stream(run_id), 1)], 1)


def test_what_was_relayed_is_not_relayed_again(world: World) -> None:
    world.request()
    first, second = Broker(), Broker()
    relay_all(Relay(world.log, first.send))
    relay_all(Relay(world.log, second.send))
    assert (len(first.sent), len(second.sent), len(rows(world))) == (1, 0, 1)


def test_two_relays_share_the_work(world: World) -> None:
    broker = Broker()
    one, two = Relay(world.log, broker.send), Relay(world.log, broker.send)
    for _ in range(5):
        world.request()
        one.step()
        two.step()
        world.request()
        two.step()
        one.step()
    relay_all(one)
    relay_all(two)
    assert len(rows(world)) == 10
    assert {stream for stream, _ in broker.sent} == {row.stream for row in rows(world)}


def test_a_message_that_could_not_be_sent_is_sent_later(world: World) -> None:
    run_id = world.request()
    broker = Broker()
    broker.is_away = True
    relay = Relay(world.log, broker.send)
    with pytest.raises(ConnectionError):
        relay.step()
    assert rows(world)[0].sent_at is None
    broker.is_away = False
    relay_all(relay)
    assert broker.sent == [(run_stream(run_id), 1)]


def test_every_way_back_into_the_queue_is_a_row(sqlite_world: World) -> None:
    world = sqlite_world
    run_id = world.request()
    relay = Relay(world.log, Broker().send)
    start(world, run_id)
    say(world, FailRun(run_id=run_id, attempt=1, reason="error"))
    relay_all(relay)
    assert rows(world) == []
    say(world, RetryRun(run_id=run_id))
    relay_all(relay)
    assert [row.attempt for row in rows(world)] == [2]
    say(world, RequestPause(run_id=run_id))
    relay_all(relay)
    assert rows(world) == []
    say(world, ResumeRun(run_id=run_id))
    relay_all(relay)
    assert [row.attempt for row in rows(world)] == [3]


def test_a_run_executed_elsewhere_is_never_queued(sqlite_world: World) -> None:
    world = sqlite_world
    run_id = world.request(asked={"external": True})
    broker = Broker()
    relay = Relay(world.log, broker.send)
    start(world, run_id)
    say(world, LoseAttempt(run_id=run_id, attempt=1))
    say(world, ReturnAttempt(run_id=run_id, attempt=1, worker="w", epoch=3))
    relay_all(relay)
    say(world, LoseAttempt(run_id=run_id, attempt=1, replaced=True))
    relay_all(relay)
    start(world, run_id, 2)
    say(world, PreemptAttempt(run_id=run_id, attempt=2, signal="SIGTERM"))
    start(world, run_id, 3)
    relay_all(relay)
    assert (rows(world), broker.sent) == ([], [])


def test_a_run_cancelled_while_it_waits_waits_no_more(world: World) -> None:
    run_id = world.request()
    relay = Relay(world.log, Broker().send)
    relay_all(relay)
    say(world, RequestCancellation(run_id=run_id))
    relay_all(relay)
    assert rows(world) == []


def test_a_run_executed_elsewhere_is_never_dispatched(world: World) -> None:
    world.request(asked={"external": True})
    broker = Broker()
    relay_all(Relay(world.log, broker.send))
    assert (rows(world), broker.sent) == ([], [])


def test_the_cursor_does_not_move_for_nothing(sqlite_world: World) -> None:
    world = sqlite_world
    world.benchmark()
    relay_all(Relay(world.log, Broker().send))
    with read(world.engine) as conn:
        assert read_cursor(conn, cursors, "relay") == 0


def test_an_idle_relay_reads_no_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.request()
    broker = Broker()
    relay = Relay(world.log, broker.send)
    relay_all(relay)
    monkeypatch.delattr(world.log.__class__, "tail")
    assert not relay.step()
    assert len(broker.sent) == 1


def test_what_another_relay_left_unsent_is_found_without_an_event(world: World) -> None:
    run_id = world.request()
    now, broker = [0.0], Broker()
    relay = Relay(world.log, broker.send, clock=lambda: now[0])
    relay_all(relay)
    with write(world.engine) as conn:
        conn.execute(dispatch_rows.update().values(sent_at=None))
    assert not relay.step()
    now[0] = LOOK_SECONDS
    assert relay.step()
    assert broker.sent == [(run_stream(run_id), 1)] * 2


def test_what_a_broker_would_not_take_is_sent_with_the_next_step(world: World) -> None:
    broker = Broker()
    relay = Relay(world.log, broker.send, clock=lambda: 0.0)
    relay_all(relay)
    run_id = world.request()
    broker.is_away = True
    with pytest.raises(ConnectionError):
        relay.step()
    broker.is_away = False
    assert relay.step()
    assert broker.sent == [(run_stream(run_id), 1)]


def test_what_went_out_before_a_broker_went_away_is_noted_down(world: World) -> None:
    for _ in range(3):
        world.request()
    sent: list[str] = []

    def send(row: Dispatch) -> None:
        if len(sent) == 2:
            raise ConnectionError("the broker is away")
        sent.append(row.stream)

    with pytest.raises(ConnectionError):
        relay_all(Relay(world.log, send))
    assert [row.stream for row in rows(world) if row.sent_at is not None] == sent
