"""Events replayed a second into all read models, beside a bare read-and-decode: `make bench-rebuild`.

A log of a million events (`histories`) is rebuilt twice as `runledger rebuild` does it: first while nobody
reads, into tables that take over from empty ones, then while another process reads (the list of runs, a run
whole, a curve, one after the other, each as a request would) from the tables of the first. The time is that
from the first row read to the takeover; to drop the old tables comes after it.

`bare` reads the same columns of the same rows in portions of the same size through sqlite3 or psycopg and
decodes each payload into its typed event, and does nothing with it. `log` is the same through `Log.tail`, as
every other consumer of the log reads it. Both are the best of three. `of_bare` is ours over bare, the smaller
of the two rebuilds; the result is that of the database that comes off worse.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from statistics import quantiles
from typing import NamedTuple

from sqlalchemy import Engine

from runledger.projections import metrics, runs
from runledger.projections.builds import reading
from runledger.projections.rebuilding import rebuild
from runledger.projections.replay import Replay
from runledger.tracker import events
from runledger.tracker.store.engine import open_ledger, open_views
from runledger.tracker.store.log import Log
from tests.benchmarks import bench, histories

EVENTS = 1_000_000
QUICK_EVENTS = 20_000
REPEATS = 3
GRACE_SECONDS = 2.0
"""More than a read takes here; no part of what is measured."""
PAUSE_SECONDS = 0.02
"""Between two reads."""


class Measured(NamedTuple):
    kind: str
    bare: float
    log: float
    alone: float
    read_beside: float
    reads: int
    p95_ms: float

    @property
    def slower(self) -> float:
        return min(self.alone, self.read_beside)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--quick", action="store_true", help="few events: figures of no worth")
    arguments = parser.parse_args()
    count = QUICK_EVENTS if arguments.quick else arguments.events
    bench.say(bench.describe_machine())
    bench.say(f"{count:,} events: {histories.MIX}")
    found = [measure(kind, count) for kind in bench.kinds()]
    bench.table([_row(each) for each in found], "events a second")
    worst = min(found, key=lambda each: each.slower / each.bare)
    bench.result(
        events_per_s=worst.slower,
        bare=worst.bare,
        of_bare=worst.slower / worst.bare,
        of_log=worst.slower / worst.log,
    )


def measure(kind: str, count: int) -> Measured:
    with bench.databases(kind) as addresses:
        ledger, views = open_ledger(addresses.ledger_url), open_views(addresses.views_url)
        log = Log(ledger)
        try:
            histories.tell(log, count)
            bare = best(lambda: read_bare(ledger, count), count)
            through_log = best(lambda: read_log(log), count)
            alone = rate(log, views)
            with reader(addresses.views_url) as answers:
                beside = rate(log, views)
            seconds = answers()
        finally:
            log.close()
            ledger.dispose()
            views.dispose()
    p95_ms = 1_000 * quantiles(seconds, n=20)[-1]
    return Measured(kind, bare, through_log, alone, beside, len(seconds), p95_ms)


def rate(log: Log, views: Engine) -> float:
    done = rebuild(log, views, grace_seconds=GRACE_SECONDS)
    return done.events / done.seconds


def best(work: Callable[[], None], count: int) -> float:
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return count / min(seconds)


def read_bare(ledger: Engine, count: int) -> None:
    replay = Replay(ledger)
    try:
        for row in replay.rows(0, count, most_bytes=2**62):
            events.decode(row[3], row[4], row[8])
    finally:
        replay.close()


def read_log(log: Log) -> None:
    position = 0
    while True:
        page = log.tail(position)
        for recorded in page.events:
            _ = recorded.event
        if page.scanned == position:
            return
        position = page.scanned


@contextmanager
def reader(views_url: str) -> Iterator[Callable[[], list[float]]]:
    """A process that reads while this is open; afterwards the seconds that each of its reads took."""
    context = multiprocessing.get_context("spawn")
    stop, (here, there) = context.Event(), context.Pipe()
    process = context.Process(target=read_on, args=(views_url, stop, there))
    process.start()
    there.close()  # so that its end is noticed
    here.recv()
    taken: list[float] = []
    try:
        yield lambda: taken
    finally:
        stop.set()
        taken += here.recv()
        process.join()


def read_on(views_url: str, stop: Event, there: Connection) -> None:
    views = open_views(views_url)
    seconds: list[float] = []
    there.send("ready")
    while not stop.wait(PAUSE_SECONDS):
        began = time.perf_counter()
        read_once(views)
        seconds.append(time.perf_counter() - began)
    there.send(seconds)
    views.dispose()


def read_once(views: Engine) -> None:
    with reading(views) as conn:
        page = runs.list_runs(conn, status=["completed"], limit=50)
        run = runs.get_run(conn, page.runs[-1].run_id)
        assert run is not None
        assert metrics.series(conn, run.run_id, histories.KEYS[0]).points


def _row(each: Measured) -> dict[str, bench.Figure]:
    return {
        "database": each.kind,
        "bare": each.bare,
        "log": each.log,
        "rebuild": each.alone,
        "while read": each.read_beside,
        "of bare": each.slower / each.bare,
        "of log": each.slower / each.log,
        "reads": each.reads,
        "p95 ms": each.p95_ms,
    }


if __name__ == "__main__":
    main()
