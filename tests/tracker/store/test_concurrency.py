"""Many writers and a reader that follows: nothing is missed, nothing comes twice, positions are dense."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine

from runledger.tracker.envelope import Fence, Recorded
from runledger.tracker.errors import CursorMoved, Fenced, WrongExpectedVersion
from runledger.tracker.store import leases
from runledger.tracker.store.appends import prepare
from runledger.tracker.store.commit import settle
from runledger.tracker.store.cursors import advance, read_cursor
from runledger.tracker.store.engine import open_ledger, read, write
from runledger.tracker.store.log import Log
from runledger.tracker.store.tables import cursors
from tests.tracker.store.samples import noted, to

WRITERS = 8
ROUNDS = 60


class ChangedMind(Exception):
    """Rolls a transaction back."""


@contextmanager
def own_log(url: str) -> Iterator[Log]:
    """A log with connections of its own, as another process would have."""
    engine = open_ledger(url)
    log = Log(engine)
    yield log
    log.close()
    engine.dispose()


def run_all(*jobs: Callable[[], None]) -> None:
    """Each in a thread of its own; the first error of any is raised."""
    errors: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as problem:
            errors.append(problem)

    threads = [threading.Thread(target=run, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads)


def dawdle(log: Log, stream: str, version: int, count: int, seconds: float, keep: bool) -> None:
    """A transaction of several statements that lies open after its positions were given."""
    append = prepare([to(stream, version, *(noted() for _ in range(count)))], None)
    try:
        with write(log.engine) as conn:
            (outcome,) = settle(conn, log.log_id, [append], {})
            assert isinstance(outcome, int)
            time.sleep(seconds)
            give_up_unless(keep)
    except ChangedMind:
        return


def give_up_unless(keep: bool) -> None:
    if not keep:
        raise ChangedMind


def test_a_reader_of_eight_writers_misses_nothing(database_urls: tuple[str, str]) -> None:
    url = database_urls[0]
    written: Counter[str] = Counter()
    done = threading.Event()
    seen: list[Recorded] = []

    def write_on(number: int) -> None:
        chance = random.Random(number)
        stream, version = f"run-{number}", 0
        with own_log(url) as log:
            for _ in range(ROUNDS):
                count, luck = chance.randint(1, 20), chance.random()
                if luck < 0.15:
                    keep = luck > 0.05
                    dawdle(log, stream, version, count, chance.random() / 200, keep)
                    version += count if keep else 0
                else:
                    log.append(to(stream, version, *(noted() for _ in range(count))))
                    version += count
        written[stream] = version

    def write_all() -> None:
        try:
            run_all(*(lambda number=number: write_on(number) for number in range(WRITERS)))
        finally:
            done.set()

    def follow() -> None:
        position = 0
        with own_log(url) as log:
            while not done.is_set() or position < log.head():
                page = log.tail(position, limit=50)
                seen.extend(page.events)
                position = page.scanned

    run_all(write_all, follow)
    assert [each.position for each in seen] == list(range(1, sum(written.values()) + 1))
    for stream, version in written.items():
        assert [each.version for each in seen if each.stream == stream] == list(range(1, version + 1))
    times = [each.recorded_at for each in seen]
    assert times == sorted(times)


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_what_is_done_within_an_append_is_undone_where_it_got_in_meanwhile(log: Log, ledger: Engine) -> None:
    write_ = to("run-1", 0)

    def overtaken(conn: Connection) -> None:
        log.append(write_)
        advance(conn, cursors, "relay", 0, 5)

    assert log.append(write_, within=overtaken) == log.head() == 1
    with read(ledger) as conn:
        assert read_cursor(conn, cursors, "relay") == 0


def test_no_position_is_seen_before_all_below_it_are_committed(log: Log, ledger: Engine) -> None:
    """One transaction has its position and lies open; a later one must wait, and a reader sees neither."""
    append = prepare([to("run-1", 0)], None)
    with write(ledger) as conn:
        assert settle(conn, log.log_id, [append], {}) == [1]
        later = log.append_soon(to("run-2", 0))
        with pytest.raises(TimeoutError):
            later.result(timeout=0.2)
        assert (log.tail(0).events, log.tail(0).scanned) == ([], 0)
    assert later.result(timeout=10) == 2
    assert [each.stream for each in log.tail(0).events] == ["run-1", "run-2"]


def test_a_position_that_was_rolled_back_is_given_again(log: Log) -> None:
    dawdle(log, "run-1", 0, 3, 0, keep=False)
    assert log.append(to("run-2", 0)) == 1


def test_writers_that_compete_for_one_stream_never_both_win(database_urls: tuple[str, str]) -> None:
    url = database_urls[0]
    won: Counter[int] = Counter()

    def compete() -> None:
        with own_log(url) as log:
            while (version := log.version("run-1")) < 40:
                try:
                    log.append(to("run-1", version))
                except WrongExpectedVersion:
                    continue
                won[version] += 1

    run_all(*(compete for _ in range(4)))
    assert set(won.values()) == {1}
    assert sorted(won)[:40] == list(range(40))


def test_a_holder_that_is_taken_over_appends_nothing_more(database_urls: tuple[str, str]) -> None:
    """Holders append under their fence as fast as they can, while leases change hands."""
    url = database_urls[0]
    taken_over_at: dict[int, int] = {}
    stop = threading.Event()

    def hold(number: int) -> None:
        with own_log(url) as log:
            while not stop.is_set():
                with write(log.engine) as conn:
                    epoch = leases.claim(conn, "run-1", 1, str(number), 60)
                if epoch is None:
                    continue
                stream, version = f"telemetry-1-{epoch}", 0
                try:
                    while not stop.is_set():
                        log.append(to(stream, version), fence=Fence(stream="run-1", epoch=epoch))
                        version += 1
                except Fenced:
                    continue

    def take_away() -> None:
        try:
            with own_log(url) as log:
                for _ in range(15):
                    time.sleep(0.03)
                    with write(log.engine) as conn:
                        lease = leases.get(conn, "run-1")
                        if lease is None or not leases.revoke(conn, "run-1", lease.epoch):
                            continue
                    taken_over_at[lease.epoch] = log.head()
        finally:
            stop.set()

    run_all(lambda: hold(1), lambda: hold(2), take_away)
    with own_log(url) as log:
        last_of = {each.stream: each.position for each in log.tail(0).events}
    assert taken_over_at
    for epoch, position in taken_over_at.items():
        assert last_of.get(f"telemetry-1-{epoch}", 0) <= position


def test_two_relays_never_both_take_a_step(database_urls: tuple[str, str]) -> None:
    """Each step appends an answer and moves the cursor in one transaction."""
    url = database_urls[0]

    def relay() -> None:
        with own_log(url) as log:
            while True:
                with write(log.engine) as conn:
                    position = read_cursor(conn, cursors, "relay")
                if position == 30:
                    return
                try:
                    log.append(to(f"run-{position}", 0), within=_step(position))
                except CursorMoved:
                    continue

    run_all(relay, relay)
    with own_log(url) as log:
        assert (log.head(), len(log.tail(0).events)) == (30, 30)


def _step(position: int) -> Callable[[Connection], None]:
    return lambda conn: advance(conn, cursors, "relay", position, position + 1)


def test_many_threads_share_commits(database_urls: tuple[str, str]) -> None:
    """Sixteen callers, one log: every one gets its own answer, and batches are shared."""
    with own_log(database_urls[0]) as log:
        commits = 0
        commit = log._committer.commit

        def count(appends: object) -> object:
            nonlocal commits
            commits += 1
            return commit(appends)  # type: ignore[arg-type]

        log._writer._commit = count  # type: ignore[assignment]
        positions: list[int] = []

        def call(number: int) -> None:
            for version in range(25):
                positions.append(log.append(to(f"run-{number}", version)))

        run_all(*(lambda number=number: call(number) for number in range(16)))
        assert sorted(positions) == list(range(1, 401))
        assert commits < 300
