"""The queue: each attempt once, the best first, and each claimer another one."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from runledger.tracker.ids import Stream
from runledger.tracker.spec import DeviceRequest
from runledger.tracker.store import dispatches
from runledger.tracker.store.dispatches import Dispatch
from runledger.tracker.store.engine import read, write

LM = ("lm", "digest-1")


def dispatch(number: int, **fields: Any) -> Dispatch:
    defaults: dict[str, Any] = {
        "stream": Stream(f"run-{number}"),
        "attempt": 1,
        "position": number,
        "recipe": LM[0],
        "recipe_digest": LM[1],
        "requested_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Dispatch(**defaults | fields)


def queue(ledger: Engine, *queued: Dispatch) -> None:
    with write(ledger) as conn:
        for each in queued:
            assert dispatches.add(conn, each)


def best(ledger: Engine, recipe: tuple[str, str] = LM) -> str | None:
    with write(ledger) as conn:
        found = dispatches.best(conn, recipes=[recipe])
    return found and found.stream


def test_what_was_queued_is_read_back_as_it_was(ledger: Engine) -> None:
    asked = dispatch(
        1, priority=3, device=DeviceRequest(kind="gpu", count=2, memory_bytes=8), labels={"zone": "a"}
    )
    queue(ledger, asked)
    with read(ledger) as conn:
        assert dispatches.get(conn, "run-1", 1) == asked
        assert dispatches.get(conn, "run-1", 2) is None


def test_an_attempt_is_queued_once(ledger: Engine) -> None:
    queue(ledger, dispatch(1), dispatch(1, attempt=2))
    with write(ledger) as conn:
        assert not dispatches.add(conn, dispatch(1, priority=9))
        assert len(dispatches.waiting(conn)) == 2


def test_the_highest_priority_comes_first_then_the_lowest_position(ledger: Engine) -> None:
    queue(ledger, dispatch(1), dispatch(2, priority=5), dispatch(3, priority=5), dispatch(4, priority=-1))
    with write(ledger) as conn:
        assert [each.position for each in dispatches.pending(conn)] == [2, 3, 1, 4]
    order = []
    while stream := best(ledger):
        order.append(stream)
        with write(ledger) as conn:
            assert dispatches.mark_claimed(conn, stream, 1)
    assert order == ["run-2", "run-3", "run-1", "run-4"]


def test_only_recipes_of_the_same_digest_are_served(ledger: Engine) -> None:
    queue(ledger, dispatch(1, recipe_digest="another"), dispatch(2))
    assert best(ledger) == "run-2"
    assert best(ledger, ("lm", "another")) == "run-1"
    assert best(ledger, ("other", "digest-1")) is None


def test_rows_that_a_worker_does_not_serve_hide_no_others(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatches, "SCAN_ROWS", 2)
    gpu = DeviceRequest(kind="gpu")
    queue(ledger, *(dispatch(number, device=gpu, priority=number % 3) for number in range(1, 8)), dispatch(8))
    with write(ledger) as conn:
        found = dispatches.best(conn, recipes=[LM], serves=lambda device, labels: device.kind == "any")
        assert dispatches.best(conn, recipes=[LM], serves=lambda device, labels: False) is None
    assert found is not None
    assert found.stream == "run-8"


def test_the_states_only_go_forwards(ledger: Engine) -> None:
    queue(ledger, dispatch(1), dispatch(2))
    with write(ledger) as conn:
        assert dispatches.mark_sent(conn, "run-1", 1)
        assert dispatches.mark_claimed(conn, "run-1", 1)
        assert not dispatches.mark_claimed(conn, "run-1", 1)
        assert not dispatches.mark_sent(conn, "run-1", 1)
        assert dispatches.mark_done(conn, "run-1", 1)
        assert not dispatches.mark_done(conn, "run-1", 1)
        assert not dispatches.mark_claimed(conn, "run-1", 1)
        assert dispatches.mark_done(conn, "run-2", 1)
        assert not dispatches.mark_done(conn, "run-3", 1)


def test_what_was_sent_waits_before_it_is_sent_again(ledger: Engine) -> None:
    queue(ledger, dispatch(1), dispatch(2))
    with write(ledger) as conn:
        dispatches.mark_sent(conn, "run-1", 1)
        assert [each.stream for each in dispatches.pending(conn)] == ["run-2"]
        assert [each.stream for each in dispatches.pending(conn, resend_after_seconds=60)] == ["run-2"]
        again = dispatches.pending(conn, resend_after_seconds=0)
    assert [(each.stream, each.send_count) for each in again] == [("run-1", 1), ("run-2", 0)]


def test_each_row_is_claimed_by_one_of_all_who_found_it(ledger: Engine) -> None:
    queue(ledger, *(dispatch(number) for number in range(1, 41)))
    claimed: list[str] = []

    def work() -> None:
        while True:
            with read(ledger) as conn:
                found = dispatches.best(conn, recipes=[LM])
            if found is None:
                return
            with write(ledger) as conn:
                is_mine = dispatches.mark_claimed(conn, found.stream, found.attempt)
            if is_mine:
                claimed.append(found.stream)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert sorted(claimed) == sorted(f"run-{number}" for number in range(1, 41))
