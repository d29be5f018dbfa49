"""Connections past SQLAlchemy: outages by name, kept ones that were lost, and locks that are had in time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import psycopg
import pytest
from sqlalchemy import Engine, text

from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.direct import DRIVER_ERRORS, KEPT_FOR_READING, Direct, Readers
from runledger.tracker.store.engine import open_ledger, write
from runledger.tracker.store.log import Log
from tests.conftest import Databases
from tests.tracker.store.samples import noted, to


def test_a_mistake_is_not_taken_for_an_outage(ledger: Engine) -> None:
    direct = Direct(ledger)
    with pytest.raises(DRIVER_ERRORS):
        direct.fetch("SELECT * FROM nothing_like_that", ())
    assert direct.fetch("SELECT 1", ()) == [(1,)]
    direct.close()


def test_it_takes_no_place_in_the_pool(ledger: Engine) -> None:
    directs = [Direct(ledger) for _ in range(8)]
    assert ledger.pool.checkedout() == 0  # type: ignore[attr-defined]
    for direct in directs:
        direct.close()


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_reader_goes_on_after_its_connections_were_killed(log: Log, ledger: Engine) -> None:
    log.append(to("run-1", 0))
    assert len(log.read("run-1")) == 1
    with psycopg.connect(ledger.url.set(drivername="postgresql").render_as_string(False)) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert len(log.read("run-1")) == 1


def test_a_few_connections_are_kept_for_reading_and_no_more(ledger: Engine) -> None:
    readers, together = Readers(ledger), threading.Barrier(2 * KEPT_FOR_READING)

    def read() -> None:
        direct = readers._take() or Direct(ledger)
        together.wait(10)
        readers._give_back(direct, is_whole=True)

    threads = [threading.Thread(target=read, daemon=True) for _ in range(2 * KEPT_FOR_READING)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(readers._free) == KEPT_FOR_READING
    readers.close()
    assert readers.fetch("SELECT 1", ()) == [(1,)]
    assert not readers._free


def test_a_statement_that_fails_does_not_give_its_connection_back(ledger: Engine) -> None:
    readers = Readers(ledger)
    with pytest.raises(DRIVER_ERRORS):
        readers.fetch("SELECT * FROM nothing_like_that", ())
    assert not readers._free
    readers.close()


def test_a_part_of_a_stream_is_read_on_from_a_known_event(log: Log) -> None:
    known = noted()
    log.append(to("run-1", 0, noted(), known, noted(), noted()))
    followers = log.read_on("run-1", 2, known.event_id)
    assert followers is not None
    assert [each.version for each in followers] == [3, 4]
    assert log.read_on("run-1", 3, known.event_id) is None
    assert log.read_on("run-1", 5, known.event_id) is None
    assert log.read_on("run-2", 2, known.event_id) is None


def test_a_transaction_gets_its_turn_beside_a_writer_that_goes_on_and_on(
    sqlite_databases: Databases,
) -> None:
    """SQLite itself would come to ask every 100 ms for a lock that is free for some µs only."""
    url = sqlite_databases.migrated()[0]
    engine, other = open_ledger(url), open_ledger(url)
    log, stop = Log(engine), threading.Event()

    def keep_busy() -> None:
        version = 0
        while not stop.is_set():
            version = log.append(to("run-1", version))

    busy = threading.Thread(target=keep_busy, daemon=True)
    busy.start()
    try:
        begin = time.monotonic()
        for _ in range(5):
            with write(other) as conn:
                conn.execute(text("UPDATE head SET position = position"))
        assert time.monotonic() - begin < 30
    finally:
        stop.set()
        busy.join(10)
        log.close()
        for each in (engine, other):
            each.dispose()


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_after_a_transaction_that_failed_halfway_the_next_begins_anew(
    log: Log, ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(direct: Direct) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    log.append(to("run-1", 0))
    monkeypatch.setattr(Direct, "commit", fail)
    with pytest.raises(KeyboardInterrupt):
        log.append(to("run-1", 1))
    assert log.append(to("run-1", 1)) == 2
    assert log.head() == 2


def test_a_connection_that_cannot_be_prepared_is_closed(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def refuse(direct: Direct) -> None:
        opened.append(direct._connection)
        raise KeyboardInterrupt

    monkeypatch.setattr(Direct, "_prepare", refuse)
    with pytest.raises(KeyboardInterrupt):
        Direct(ledger)
    with pytest.raises(DRIVER_ERRORS):
        opened[0].execute("SELECT 1")


FORK = """
import os, sys
from tests.tracker.store.samples import to
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.store.engine import open_ledger
from runledger.tracker.store.log import Log

log = Log(open_ledger(sys.argv[1]))
log.append(to("run-1", 0))
known = log.read("run-1")[0].event_id
if os.fork() == 0:
    calls = (
        lambda: log.read("run-1"), lambda: log.read_on("run-1", 1, known), lambda: log.append(to("run-1", 1)),
        lambda: log.append(to("run-1", 1), within=lambda conn: None),
    )
    for call in calls:
        try:
            call()
        except StoreUnavailable as problem:
            print(problem, flush=True)
    log.close()
    os._exit(0)
os.wait()
log.append(to("run-1", 1))
print(len(log.read("run-1")))
"""


def test_a_log_that_a_fork_has_copied_leaves_the_connections_alone(database_urls: tuple[str, str]) -> None:
    command = [sys.executable, "-c", FORK, database_urls[0]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.count("before a fork") == 4
    assert done.stdout.endswith("2\n")


def test_a_database_that_cannot_be_opened_is_named() -> None:
    with pytest.raises(StoreUnavailable, match="nowhere"):
        Direct(open_ledger("sqlite:////nowhere/ledger.db"))
