"""Events appended a second, beside the bare database driver: `make bench-append`.

Ours is `Dispatcher.dispatch` (`dispatch_all` for a hundred commands to one run), which decides and appends,
and the recorder's path, `Dispatcher.record`, which appends ready events. The bare side sends what ours sends
(`bare`): the same statements on the same values, in the same transactions, through sqlite3 or psycopg and a
connection with the same settings. Neither reads the stream: who dispatches again within a second decides on
what it remembers, and the append checks that. Bare rows are made, hashed and chained beforehand; ours does
all that inside the clock.

Writers are threads of one process, each with a stream of its own. Ours share one log, whose appends share
commits; the bare ones have a connection and a transaction each, append by append. As that flatters us, the
column `grouped` shows one bare connection that commits groups of the size that ours came to.

Both sides append the same number of events in blocks that take turns. A rate is the median of its blocks
(events over the time from the common start to the last writer's end), `p50` and `p95` are of single appends.
The garbage collector passes over what was prepared for a block, and is as busy as ever with the rest.
`of_bare` is ours over bare, and the result is the worst of all rows.
"""

from __future__ import annotations

import argparse
import gc
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from statistics import median, quantiles
from typing import NamedTuple
from uuid import uuid4

import msgspec

from runledger.tracker.aggregates.registry import AnyCommand
from runledger.tracker.aggregates.run import NoteRun, RequestRun, StartAttempt, TagRun
from runledger.tracker.dispatch import Dispatcher
from runledger.tracker.envelope import Metadata, NewEvent, Write
from runledger.tracker.events.base import Event
from runledger.tracker.events.run import RunNoted
from runledger.tracker.events.telemetry import MetricsRecorded
from runledger.tracker.ids import ExperimentId, RunId, Stream, new_event_id, run_stream, telemetry_stream
from runledger.tracker.spec import RunSpec
from runledger.tracker.store.appends import Append, Tip
from runledger.tracker.store.engine import open_ledger
from runledger.tracker.store.log import Log
from tests.benchmarks import bench
from tests.benchmarks.bare import Bare, Ready, ready

WRITERS = (1, 8)
EVENTS = (1, 100)
PATHS = ("record", "dispatch")
ME = Metadata(actor="bench", correlation_id=None)
POINTS = 10


class Effort(NamedTuple):
    blocks: int
    block_seconds: float
    """About as long as ours takes for a block."""


FULL = Effort(blocks=7, block_seconds=0.45)
QUICK = Effort(blocks=3, block_seconds=0.15)


class Cell(NamedTuple):
    path: str
    events: int
    """Of one append."""
    writers: int


class Block(NamedTuple):
    events: int
    wall_seconds: float
    seconds: list[float]
    """Of each append."""

    @property
    def rate(self) -> float:
        return self.events / self.wall_seconds


class Bench:
    """One database and the log on it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = open_ledger(url)
        self.log = Log(self.engine)
        self.dispatcher = Dispatcher(self.log, clock=lambda: datetime.now(UTC))
        self.bares = [Bare(url) for _ in range(max(WRITERS))]
        self.commits: list[int] = []
        """How many appends each commit held."""
        self.group_sizes: list[int] = []
        """Of the commits of blocks."""
        self._count_groups()

    def close(self) -> None:
        for bare in self.bares:
            bare.close()
        self.log.close()
        self.engine.dispose()

    def ours(self, cell: Cell, appends: int) -> Block:
        streams = [self.begin(cell) for _ in range(cell.writers)]
        works = [
            self._recording(cell, stream, appends)
            if cell.path == "record"
            else self._deciding(cell, stream, appends)
            for stream in streams
        ]
        before = len(self.commits)
        block = together([lambda start, work=work: timed(work, start) for work in works], cell, appends)
        self.group_sizes += self.commits[before:]
        return block

    def bare(self, cell: Cell, appends: int) -> Block:
        works = [self._ready(cell, 1, appends) for _ in range(cell.writers)]
        return together(
            [
                lambda start, bare=bare, work=work: bare.run(work, start)
                for bare, work in zip(self.bares, works, strict=False)
            ],
            cell,
            appends,
        )

    def grouped(self, cell: Cell, appends: int, group: int) -> Block:
        """As many appends as the writers' together, `group` in a commit."""
        work = self._ready(cell, group, max(1, appends * cell.writers // group))
        in_all = Cell(cell.path, cell.events * group, 1)
        return together([lambda start: self.bares[0].run(work, start)], in_all, len(work))

    def begin(self, cell: Cell) -> Stream:
        """A stream for one writer: an attempt's telemetry, or a run with a little history."""
        run_id = RunId(uuid4().hex)
        if cell.path == "record":
            return telemetry_stream(run_id, 1)
        tags = (TagRun(run_id=run_id, added={"tag": f"{number}"}, removed=()) for number in range(10))
        start = StartAttempt(run_id=run_id, attempt=1, worker="bench", epoch=1)
        self.dispatcher.dispatch_all(requested(run_id), start, *tags, metadata=ME)
        return run_stream(run_id)

    def _recording(self, cell: Cell, stream: Stream, appends: int) -> list[Callable[[], object]]:
        writes = [write_of(cell, stream, number * cell.events) for number in range(appends)]
        return [
            lambda write=write: self.dispatcher.record(write.stream, write.expected_version, write.events)
            for write in writes
        ]

    def _deciding(self, cell: Cell, stream: Stream, appends: int) -> list[Callable[[], object]]:
        run_id = RunId(stream.removeprefix("run-"))
        commands = [
            tuple(
                NoteRun(run_id=run_id, note=note(number * cell.events + each)) for each in range(cell.events)
            )
            for number in range(appends)
        ]
        return [lambda each=each: self._dispatch(each) for each in commands]

    def _dispatch(self, commands: Sequence[AnyCommand]) -> None:
        if len(commands) == 1:
            self.dispatcher.dispatch(commands[0], ME)
        else:
            self.dispatcher.dispatch_all(*commands, metadata=ME)

    def _ready(self, cell: Cell, group: int, transactions: int) -> list[Ready]:
        tips: dict[str, Tip] = {}
        ends: dict[Stream, int] = {}
        for _ in range(group):
            stream = self.begin(cell)
            last = self.log.last(stream)
            ends[stream] = last.version if last else 0
            if last is not None:
                tips[stream] = Tip(last.version, last.hash)
        writes = [
            [write_of(cell, stream, end + number * cell.events) for stream, end in ends.items()]
            for number in range(transactions)
        ]
        return ready(self.log.log_id, writes, tips)

    def _count_groups(self) -> None:
        commit = self.log._writer._commit

        def count(appends: Sequence[Append]) -> Sequence[int | Exception]:
            self.commits.append(len(appends))
            return commit(appends)

        self.log._writer._commit = count


def together(works: Sequence[Callable[[threading.Barrier], list[float]]], cell: Cell, appends: int) -> Block:
    """Each work in a thread, all from one start."""
    gc.collect()
    gc.freeze()
    start = threading.Barrier(len(works) + 1)
    seconds: list[float] = []
    ends: list[float] = []

    def run(work: Callable[[threading.Barrier], list[float]]) -> None:
        mine = work(start)
        ends.append(time.perf_counter())
        seconds.extend(mine)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    start.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    if len(ends) != len(works):
        raise RuntimeError("a writer failed: see above")
    return Block(cell.events * appends * len(works), max(ends) - begin, seconds)


def timed(work: Sequence[Callable[[], object]], start: threading.Barrier) -> list[float]:
    seconds = []
    start.wait()
    for step in work:
        begin = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begin)
    return seconds


def requested(run_id: RunId) -> RequestRun:
    return RequestRun(
        run_id=run_id,
        experiment_id=ExperimentId("bench"),
        name="bench",
        spec=RunSpec(recipe="lm", version=1, digest="d", values={"lr": 0.1, "seed": 7}),
        requested_by="bench",
    )


def note(number: int) -> str:
    return f"a note of some forty characters: {number:07}"


def write_of(cell: Cell, stream: Stream, version: int) -> Write:
    """The next append of a stream at `version`, as ours appends it."""
    now = datetime.now(UTC)
    return Write(
        stream=stream,
        expected_version=version,
        events=tuple(
            NewEvent(
                event_id=new_event_id(), event=event_of(cell, version + each), occurred_at=now, metadata=ME
            )
            for each in range(cell.events)
        ),
    )


def event_of(cell: Cell, number: int) -> Event:
    """A note, or a step with ten metrics."""
    if cell.path == "dispatch":
        return RunNoted(note=note(number))
    return MetricsRecorded(
        keys=tuple(f"train/metric-{each}" for each in range(POINTS)),
        key_index=b"".join(each.to_bytes(2, "little") for each in range(POINTS)),
        step=number.to_bytes(8, "little") * POINTS,
        time=number.to_bytes(8, "little") * POINTS,
        value=number.to_bytes(8, "little") * POINTS,
    )


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell came to."""

    cell: Cell
    ours: list[Block]
    bare: list[Block]
    grouped: list[Block]
    group: int

    @property
    def of_bare(self) -> float:
        return median(block.rate for block in self.ours) / median(block.rate for block in self.bare)

    def row(self, kind: str) -> dict[str, bench.Figure]:
        ours, bare = percentiles(self.ours), percentiles(self.bare)
        return {
            "database": kind,
            "path": self.cell.path,
            "events": self.cell.events,
            "writers": self.cell.writers,
            "ours/s": median(block.rate for block in self.ours),
            "bare/s": median(block.rate for block in self.bare),
            "of_bare": round(self.of_bare, 2),
            "ours p50 ms": ours[0],
            "p95": ours[1],
            "bare p50 ms": bare[0],
            "p95 ": bare[1],
            "in a commit": self.group,
            "grouped/s": median(block.rate for block in self.grouped) if self.grouped else None,
        }


def percentiles(blocks: Sequence[Block]) -> tuple[float, float]:
    """Of single appends, in ms."""
    cuts = quantiles((second for block in blocks for second in block.seconds), n=20)
    return round(cuts[9] * 1000, 3), round(cuts[18] * 1000, 3)


def measure(bench_: Bench, cell: Cell, effort: Effort) -> Figures:
    """Blocks in turns, each side first in every other turn."""
    appends = calibrate(bench_, cell, effort)
    bench_.group_sizes.clear()
    ours, bare, grouped = list[Block](), list[Block](), list[Block]()
    for number in range(effort.blocks):
        sides: list[Callable[[], None]] = [
            lambda: ours.append(bench_.ours(cell, appends)),
            lambda: bare.append(bench_.bare(cell, appends)),
        ]
        for side in sides if number % 2 else reversed(sides):
            side()
    group = typical_group(bench_, cell)
    if cell.writers > 1:
        grouped += (bench_.grouped(cell, appends, group) for _ in range(effort.blocks))
    return Figures(cell=cell, ours=ours, bare=bare, grouped=grouped, group=group)


def calibrate(bench_: Bench, cell: Cell, effort: Effort) -> int:
    """How many appends of each writer fill a block; also warms both sides up."""
    appends = 8
    bench_.bare(cell, appends)
    while True:
        block = bench_.ours(cell, appends)
        if block.wall_seconds > effort.block_seconds / 3:
            return max(4, round(appends * effort.block_seconds / block.wall_seconds))
        appends *= 2


def typical_group(bench_: Bench, cell: Cell) -> int:
    """Appends in the commit of the median append."""
    if cell.writers == 1:
        return 1
    return round(median(size for size in bench_.group_sizes for _ in range(size)))


@contextmanager
def opened(kind: str) -> Iterator[Bench]:
    with bench.databases(kind) as addresses:
        bench_ = Bench(addresses.ledger_url)
        try:
            yield bench_
        finally:
            bench_.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="events appended a second, beside the bare driver")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter blocks: for development")
    parser.add_argument("--database", choices=bench.KINDS, help="only this one")
    arguments = parser.parse_args()
    bench.say(bench.describe_machine())
    kinds = (arguments.database,) if arguments.database else bench.kinds()
    rows: list[dict[str, bench.Figure]] = []
    worst: list[float] = []
    for kind in kinds:
        with opened(kind) as bench_:
            for path, events, writers in product(PATHS, EVENTS, WRITERS):
                figures = measure(bench_, Cell(path, events, writers), QUICK if arguments.quick else FULL)
                rows.append(figures.row(kind))
                worst.append(figures.of_bare)
    bench.table(rows, "events appended a second; writers are threads of one process")
    bench.result(of_bare=round(min(worst), 2))


if __name__ == "__main__":
    main()
