"""Cursors move by compare-and-set, in the ledger and in the views alike."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Engine

from runledger.tracker.errors import CursorMoved
from runledger.tracker.store.cursors import advance, read_cursor
from runledger.tracker.store.engine import read, write
from runledger.tracker.store.tables import cursors


def test_a_consumer_that_has_not_begun_stands_at_zero(ledger: Engine) -> None:
    with read(ledger) as conn:
        assert read_cursor(conn, cursors, "relay") == 0


def test_a_cursor_moves_from_where_it_is_expected(ledger: Engine) -> None:
    with write(ledger) as conn:
        advance(conn, cursors, "relay", 0, 5)
        advance(conn, cursors, "relay", 5, 5)
        advance(conn, cursors, "relay", 5, 9)
        advance(conn, cursors, "sink", 0, 1)
    with read(ledger) as conn:
        assert (read_cursor(conn, cursors, "relay"), read_cursor(conn, cursors, "sink")) == (9, 1)


@pytest.mark.parametrize("expected", [0, 4, 6])
def test_a_cursor_that_was_moved_by_another_is_refused(ledger: Engine, expected: int) -> None:
    with write(ledger) as conn:
        advance(conn, cursors, "relay", 0, 5)
    with pytest.raises(CursorMoved), write(ledger) as conn:
        advance(conn, cursors, "relay", expected, 7)
    with read(ledger) as conn:
        assert read_cursor(conn, cursors, "relay") == 5


def test_a_cursor_that_never_began_cannot_be_expected_further_on(ledger: Engine) -> None:
    with pytest.raises(CursorMoved), write(ledger) as conn:
        advance(conn, cursors, "relay", 5, 7)


def test_a_cursor_does_not_go_back(ledger: Engine) -> None:
    with pytest.raises(ValueError, match="back"), write(ledger) as conn:
        advance(conn, cursors, "relay", 5, 4)


def test_of_two_consumers_of_one_name_only_one_gets_on(ledger: Engine) -> None:
    """Each takes a hundred steps; every position is taken by exactly one of them."""
    taken: list[int] = []

    def consume() -> None:
        while True:
            with read(ledger) as conn:
                position = read_cursor(conn, cursors, "relay")
            if position == 100:
                return
            try:
                with write(ledger) as conn:
                    advance(conn, cursors, "relay", position, position + 1)
            except CursorMoved:
                continue
            taken.append(position + 1)

    consumers = [threading.Thread(target=consume, daemon=True) for _ in range(2)]
    for consumer in consumers:
        consumer.start()
    for consumer in consumers:
        consumer.join(120)
    assert sorted(taken) == list(range(1, 101))
