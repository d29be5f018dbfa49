"""Events sealed and verified a second, beside one pass that only reads: `make bench-verify`.

A log of events of 300 bytes in a hundred streams, appended and sealed, and verified against its seals in the
database and in a folder. The bare side is the same driver reading the same rows in the same pages and
taking one SHA-256 of each payload: what no verification can do without. Processor time counts, not that of
the clock, as everything happens in one thread; on PostgreSQL the server's own is not in it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runledger.tracker.envelope import Metadata, NewEvent, Write
from runledger.tracker.events.run import RunNoted
from runledger.tracker.ids import RunId, new_event_id, run_stream
from runledger.tracker.seal.notes import public_key_of
from runledger.tracker.seal.place import Place
from runledger.tracker.seal.rawlog import RawLog
from runledger.tracker.seal.sealer import Sealer
from runledger.tracker.seal.verifying import Verified, verify_log
from runledger.tracker.store.engine import open_ledger
from runledger.tracker.store.log import Log
from tests.benchmarks import bench

EVENTS = 1_000_000
QUICK_EVENTS = 50_000
STREAMS = 100
BATCH = 1_000
NOTE = "x" * 300


class Figures(NamedTuple):
    """Events a second of processor time."""

    sealed: float
    verified: float
    read: float
    found: Verified

    def row(self, kind: str) -> dict[str, bench.Figure]:
        return {
            "database": kind,
            "events": self.found.events,
            "sealed": round(self.sealed),
            "verified": round(self.verified),
            "read": round(self.read),
            "of_bare": round(self.verified / self.read, 2),
        }


def fill(log: Log, events: int) -> None:
    metadata, at = Metadata(actor="bench"), datetime.now(UTC)
    for number in range(events // BATCH):
        stream = run_stream(RunId(f"{number % STREAMS}"))
        news = tuple(
            NewEvent(event_id=new_event_id(), event=RunNoted(note=NOTE), occurred_at=at, metadata=metadata)
            for _ in range(BATCH)
        )
        expected = number // STREAMS * BATCH
        log.append(Write(stream=stream, expected_version=expected, events=news))


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def read_all(raw: RawLog, events: int) -> None:
    for page, _ in raw.pages(0, events):
        for row in page:
            sha256(row.payload).digest()


def seal_all(sealer: Sealer) -> None:
    for _ in iter(sealer.seal, None):
        pass


def measure(log: Log, place: Place, events: int) -> Figures:
    """Ours and the bare side take turns; the least of three counts."""
    fill(log, events)
    key = Ed25519PrivateKey.generate()
    sealing = seconds(lambda: seal_all(Sealer(log, place, key)))
    raw, keys = RawLog(log.engine), [public_key_of(log.log_id, key)]
    turns = [
        (seconds(lambda: verify_log(log, keys, place)), seconds(lambda: read_all(raw, events)))
        for _ in range(3)
    ]
    verifying, reading = (min(side) for side in zip(*turns, strict=True))
    return Figures(events / sealing, events / verifying, events / reading, verify_log(log, keys, place))


def measured(kinds: tuple[str, ...], events: int) -> Iterator[tuple[str, Figures]]:
    for kind in kinds:
        with bench.databases(kind) as addresses, bench.workspace() as folder:
            engine = open_ledger(addresses.ledger_url)
            log = Log(engine)
            try:
                yield kind, measure(log, Place(f"file://{folder}", log.log_id), events)
            finally:
                log.close()
                engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description="events sealed and verified a second")
    parser.add_argument("--quick", action="store_true", help="a shorter log: for development")
    parser.add_argument("--database", choices=bench.KINDS, help="only this one")
    arguments = parser.parse_args()
    bench.say(bench.describe_machine())
    kinds = (arguments.database,) if arguments.database else bench.kinds()
    events = QUICK_EVENTS if arguments.quick else EVENTS
    found = list(measured(kinds, events))
    bench.table(
        [figures.row(kind) for kind, figures in found], "events a second of processor time, in one thread"
    )
    bench.result(verified=round(min(figures.verified for _, figures in found)))


if __name__ == "__main__":
    main()
