"""A thousand viewers of one API process while a run goes on: `make bench-viewers`.

One API process as it ships, on SQLite. A thousand connections follow `/events/stream` while the events of a
run are appended, five a second; another process asks for the list of runs all the time, first while nobody
watches, then beside the viewers. Viewers and asker are processes of their own: their work is not the API's,
though it is the same machine's.

`in_order` counts the viewers that got every event once and in order; `p95_ms` is of the asker's requests,
`late_p95_ms` of the time from an append to a viewer's having it, `more_mib` what the API process held more at
the end than before the viewers came, `end_mib` what it held then.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple
from uuid import uuid4

import httpx
import psutil

from runledger.api.cli.preflight import free_port
from runledger.tracker.dispatch import Dispatcher
from runledger.tracker.envelope import NewEvent, Write
from runledger.tracker.events.run import RunNoted
from runledger.tracker.ids import RunId, Stream, new_event_id, run_stream
from runledger.tracker.store.engine import open_ledger
from runledger.tracker.store.log import Log
from tests.benchmarks import bench
from tests.benchmarks.append import ME, requested
from tests.system.installation import clean_environment, until

VIEWERS = 1_000
SECONDS = 30.0
EVENTS_A_SECOND = 5.0
ASK_SECONDS = 0.02
"""Between two requests of the asker."""
PATIENCE_SECONDS = 60.0
LIKED_MS = 50.0


class Seen(NamedTuple):
    """By one viewer."""

    positions: list[int]
    moments: list[float]
    """When each came, by the machine's clock."""


class Figures(NamedTuple):
    viewers: int
    events: int
    in_order: int
    idle_p95_ms: float
    p95_ms: float
    late_p95_ms: float
    more_mib: float
    end_mib: float

    @property
    def limit_ms(self) -> float:
        """What the requests of others may take beside the viewers."""
        return max(2 * self.idle_p95_ms, LIKED_MS)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    arguments = parser.parse_args()
    bench.say(bench.describe_machine())
    found = measure(arguments.viewers, arguments.seconds)
    bench.table([found._asdict()], f"{arguments.viewers} viewers for {arguments.seconds:.0f} s")
    bench.result(**found._asdict(), limit_ms=found.limit_ms)


def measure(viewers: int, seconds: float) -> Figures:
    raise_file_limit(2 * viewers + 500)
    with bench.databases("sqlite") as addresses, bench.workspace() as folder:
        api, port = start_api(addresses, folder)
        log = Log(open_ledger(addresses.ledger_url))
        try:
            until(lambda: is_up(port), PATIENCE_SECONDS, "the API")
            with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as helpers:
                return _measure(helpers, psutil.Process(api.pid), log, port, viewers, seconds)
        finally:
            log.close()
            log.engine.dispose()
            api.terminate()
            api.wait(30)


def _measure(
    helpers: ProcessPoolExecutor, api: psutil.Process, log: Log, port: int, viewers: int, seconds: float
) -> Figures:
    run_id = RunId(uuid4().hex)
    Dispatcher(log, clock=_now).dispatch(requested(run_id), ME)
    idle = p95_ms(helpers.submit(ask, port, min(seconds, 5.0)).result())
    before = mib(api)
    count = max(1, int(seconds * EVENTS_A_SECOND))
    first = log.head()
    watching = helpers.submit(watch, port, viewers, first + count)
    until(lambda: viewers_of(port) == viewers, PATIENCE_SECONDS, f"{viewers} viewers")
    asking = helpers.submit(ask, port, seconds)
    appended = tell(log, run_id, count)
    beside = p95_ms(asking.result())
    end = mib(api)
    return figures(watching, appended, idle, beside, (before, end))


def figures(
    watching: Future[list[Seen]],
    appended: dict[int, float],
    idle: float,
    beside: float,
    held: tuple[float, float],
) -> Figures:
    seen = watching.result(PATIENCE_SECONDS)
    expected = list(appended)
    late = [
        1_000 * (moment - appended[position])
        for each in seen
        for position, moment in zip(each.positions, each.moments, strict=True)
    ]
    return Figures(
        viewers=len(seen),
        events=len(expected),
        in_order=sum(each.positions == expected for each in seen),
        idle_p95_ms=idle,
        p95_ms=beside,
        late_p95_ms=quantiles(late, n=20)[-1],
        more_mib=held[1] - held[0],
        end_mib=held[1],
    )


def tell(log: Log, run_id: RunId, count: int) -> dict[int, float]:
    """When each position was appended."""
    appended: dict[int, float] = {}
    begin, stream = time.monotonic(), run_stream(run_id)
    for number in range(count):
        time.sleep(max(0.0, begin + number / EVENTS_A_SECOND - time.monotonic()))
        event = RunNoted(note=f"a note of some forty characters: {number:07}")
        new = NewEvent(event_id=new_event_id(), event=event, occurred_at=_now(), metadata=ME)
        moment = time.time()
        position = log.append(Write(stream=Stream(stream), expected_version=1 + number, events=(new,)))
        appended[position] = moment
    return appended


def watch(port: int, viewers: int, last: int) -> list[Seen]:
    """In a process of its own: as many connections, until each has seen the position `last`."""
    raise_file_limit(viewers + 200)

    async def all_of_them() -> list[Seen]:
        return list(await asyncio.gather(*(view(port, last) for _ in range(viewers))))

    return asyncio.run(all_of_them())


async def view(port: int, last: int) -> Seen:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET /api/v1/events/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
    writer.write(request.encode())
    seen = Seen([], [])
    while not seen.positions or seen.positions[-1] < last:
        line = await reader.readline()
        if not line:
            break
        if line.startswith(b"id: "):
            seen.positions.append(int(line[4:]))
            seen.moments.append(time.time())
    writer.close()
    return seen


def ask(port: int, seconds: float) -> list[float]:
    """In a process of its own: how long each request took."""
    taken: list[float] = []
    deadline = time.monotonic() + seconds
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30.0) as client:
        while time.monotonic() < deadline:
            began = time.perf_counter()
            client.get("/runs", params={"limit": 10}).raise_for_status()
            taken.append(time.perf_counter() - began)
            time.sleep(ASK_SECONDS)
    return taken


def start_api(addresses: bench.Addresses, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    environment = clean_environment() | {
        "RUNLEDGER_DATA": str(folder),
        "RUNLEDGER_LEDGER_URL": addresses.ledger_url,
        "RUNLEDGER_VIEWS_URL": addresses.views_url,
        "RUNLEDGER_PORT": str(port),
    }
    command = [sys.executable, "-P", "-m", "runledger.api"]
    return subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.DEVNULL), port


def is_up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/v1/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def viewers_of(port: int) -> int:
    for line in httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30.0).text.splitlines():
        if line.startswith("runledger_sse_viewers "):
            return int(float(line.split()[1]))
    raise LookupError("runledger_sse_viewers")


def raise_file_limit(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def _now() -> datetime:
    return datetime.now(UTC)


def p95_ms(seconds: Sequence[float]) -> float:
    return 1_000 * quantiles(seconds, n=20)[-1]


def mib(process: psutil.Process) -> float:
    held: int = process.memory_info().rss
    return held / 2**20


if __name__ == "__main__":
    main()
