"""Hints: a commit wakes who waits for it, and without them waiting is merely waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine

from runledger.tracker.store import hints
from runledger.tracker.store.engine import open_ledger
from runledger.tracker.store.hints import Hints, Notifications
from runledger.tracker.store.log import Log
from tests.conftest import POSTGRESQL_URL, Databases
from tests.tracker.store.samples import to

SECONDS = 20.0


@pytest.fixture
def given(ledger: Engine) -> Iterator[Hints]:
    made = hints.listen(ledger)
    while made.wait(0.05):
        pass  # what making the database has left
    yield made
    made.close()


def seconds_until_woken(given: Hints, appending: threading.Thread) -> float:
    appending.start()
    began = time.monotonic()
    assert given.wait(SECONDS)
    appending.join()
    return time.monotonic() - began


def append_and_ring(log: Log) -> None:
    log.append(to("run-1", log.version("run-1")))
    hints.ring(log.engine)


def test_an_append_wakes_who_waits(log: Log, given: Hints) -> None:
    appending = threading.Thread(target=append_and_ring, args=(log,), daemon=True)
    assert seconds_until_woken(given, appending) < SECONDS / 2


def test_a_hint_given_between_two_waits_is_not_lost(log: Log, given: Hints) -> None:
    append_and_ring(log)
    assert given.wait(SECONDS)


def test_nothing_is_a_hint_of_nothing(given: Hints) -> None:
    assert not given.wait(0.1)


def test_ringing_for_nobody_is_harmless(log: Log) -> None:
    append_and_ring(log)
    assert log.head() == 1


def test_who_has_lost_the_connection_waits_and_listens_again(postgresql_databases: Databases) -> None:
    engine = open_ledger(postgresql_databases.migrated()[0])
    given = Notifications(engine, reconnect_seconds=0.0)
    assert not given.wait(0.05)
    with psycopg.connect(POSTGRESQL_URL, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            [engine.url.database],
        )

    assert not given.wait(0.05)
    assert not given.wait(0.05)  # listens again
    log = Log(engine)
    append_and_ring(log)

    assert given.wait(SECONDS)
    given.close()
    log.close()
    engine.dispose()
