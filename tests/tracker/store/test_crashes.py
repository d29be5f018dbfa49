"""A writer that is killed in the middle: what it was told is kept, the rest is whole or not there."""

from __future__ import annotations

import subprocess
import sys

from runledger.tracker.envelope import GENESIS, Recorded
from runledger.tracker.store.log import Log

WRITER = """
import sys
from tests.tracker.store.samples import noted, to
from runledger.tracker.store.engine import open_ledger
from runledger.tracker.store.log import Log

log = Log(open_ledger(sys.argv[1]))
versions = {f"run-{number}": log.version(f"run-{number}") for number in range(4)}
while True:
    futures = []
    for stream, version in versions.items():
        futures.append(log.append_soon(to(stream, version, noted(), noted(), noted())))
        versions[stream] = version + 3
    for future in futures:
        print(future.result(), flush=True)
"""

ACKNOWLEDGED = 150


def test_what_was_acknowledged_survives_the_kill(database_urls: tuple[str, str], log: Log) -> None:
    positions = [
        position for _ in range(2) for position in kill_after(ACKNOWLEDGED, WRITER, database_urls[0])
    ]
    events = log.tail(0).events
    assert [each.position for each in events] == list(range(1, log.head() + 1))
    assert max(positions) <= log.head()
    assert len(events) % 3 == 0  # an append is all or nothing
    for number in range(4):
        assert_chained(log.read(f"run-{number}"))


def kill_after(lines: int, program: str, url: str) -> list[int]:
    """Run it, read that many lines of what it says, and kill it without a warning."""
    with subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [int(process.stdout.readline()) for _ in range(lines)]
        process.kill()
        said += [int(line) for line in process.stdout if line.endswith("\n")]
    return said


def assert_chained(events: list[Recorded]) -> None:
    assert [each.version for each in events] == list(range(1, len(events) + 1))
    assert [each.prev_hash for each in events] == [GENESIS, *(each.hash for each in events[:-1])]
