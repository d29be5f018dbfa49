"""Metric points accepted a second over HTTP, beside an MLflow server: `make bench-ingest`.

Both sides take batches of 1,000 points (ten steps of a hundred keys) through their own Python clients, from
one client process and from sixteen at a time, each process with a run of its own. MLflow is the stock server
with its default workers and without job execution; ours is the API and the projections process, each as
`runledger up` starts it. Both have the same kind of database, on the same disk. A batch counts once it is
answered, and ours is answered once it is committed.

The limit is one connection of the bare driver that inserts the same bytes, prepared beforehand, with the
log's own statements: one batch a commit beside one client, sixteen beside sixteen. No client, server or
projection runs beside it.

Blocks take turns, the first of each is warm-up, rates are medians. `caught_up_s` is the longest time that the
projections took from the end of a block of sixteen clients to the head of the log. The result is that of our
client's own form on the worse database.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple
from uuid import uuid4

import httpx
import psutil
import psycopg
from sqlalchemy import make_url

from runledger.api.cli.preflight import free_port
from runledger.api.cli.processes import Process, Program
from runledger.projections.positions import lag
from runledger.tracker.envelope import Metadata, NewEvent, Write
from runledger.tracker.ids import RunId, Stream, telemetry_stream
from runledger.tracker.store.appends import Tip
from runledger.tracker.store.engine import open_ledger, open_views, read
from runledger.tracker.store.log import Log
from tests.benchmarks import bench
from tests.benchmarks.bare import Bare, ready
from tests.benchmarks.ingest_clients import POINTS, Clients, batch, clients
from tests.conftest import POSTGRESQL_URL
from tests.system.installation import clean_environment, until

COUNTS = (1, 16)
OWN_FORM = "columns"
SIDES = ("mlflow", OWN_FORM, "json-columns", "json-rows")
CATCH_UP_SECONDS = 300.0
COMMITS_AT_ONCE = 16
"""Prepared before the clock runs."""


class Effort(NamedTuple):
    blocks: int
    seconds: float
    mlflow_seconds: float
    """Its requests take long: with sixteen clients some seconds each."""


FULL = Effort(blocks=4, seconds=1.5, mlflow_seconds=3.0)
QUICK = Effort(blocks=2, seconds=1.0, mlflow_seconds=2.0)


class Figures:
    """Of one database: rates by side and number of clients, and what else was seen."""

    def __init__(self) -> None:
        self.rates: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
        self.refused = 0
        self.caught_up_seconds = 0.0
        self.memory_mebibytes = 0.0

    def rate(self, side: str, count: int) -> float:
        return median(self.rates[side, count])

    def ratio(self, side: str, count: int) -> float:
        return self.rate(side, count) / self.rate("mlflow", count)

    def of_limit(self, side: str, count: int) -> float:
        return self.rate(side, count) / self.rate("limit", count)


def main() -> None:
    parser = argparse.ArgumentParser(description="Points a second over HTTP, beside MLflow.")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter blocks")
    parser.add_argument("--databases", nargs="*", default=bench.kinds(), choices=bench.KINDS)
    options = parser.parse_args()
    bench.say(bench.describe_machine())
    figures = {kind: measure(kind, QUICK if options.quick else FULL) for kind in options.databases}
    for kind, found in figures.items():
        report(kind, found)
    own = list(figures.values())
    bench.result(
        points_1=min(each.rate(OWN_FORM, 1) for each in own),
        points_16=min(each.rate(OWN_FORM, 16) for each in own),
        ratio_1=min(each.ratio(OWN_FORM, 1) for each in own),
        ratio_16=min(each.ratio(OWN_FORM, 16) for each in own),
        of_limit=min(each.of_limit(OWN_FORM, 16) for each in own),
        caught_up_s=max(each.caught_up_seconds for each in own),
    )


def measure(kind: str, effort: Effort) -> Figures:
    figures = Figures()
    with ExitStack() as stack:
        folder = stack.enter_context(bench.workspace())
        ours = stack.enter_context(runledger(kind, folder))
        mlflow_url = stack.enter_context(mlflow(kind, folder))
        bare = stack.enter_context(bare_inserts(kind))
        experiment = httpx.post(
            f"{mlflow_url}/api/2.0/mlflow/experiments/create", json={"name": "ingest"}, timeout=60
        ).json()["experiment_id"]
        senders = stack.enter_context(clients(max(COUNTS), ours.url, mlflow_url, experiment))
        for block in range(effort.blocks):
            for count in COUNTS:
                _block(figures, senders, ours, bare, count, effort, is_warm_up=block == 0)
        figures.memory_mebibytes = ours.memory_mebibytes()
    return figures


def _block(
    figures: Figures,
    senders: Clients,
    ours: Ours,
    bare: Callable[[int, float], float],
    count: int,
    effort: Effort,
    *,
    is_warm_up: bool,
) -> None:
    """Each side once, ours followed by the projections."""
    shown: list[str] = []
    for side in SIDES:
        seconds = effort.mlflow_seconds if side == "mlflow" else effort.seconds
        rate, refused = senders.rate(side, count, seconds)
        shown.append(f"{side} {rate:,.0f}")
        if side != "mlflow":
            caught_up = ours.wait_for_projections()
            figures.refused += refused
            if side == OWN_FORM and count == max(COUNTS) and not is_warm_up:
                figures.caught_up_seconds = max(figures.caught_up_seconds, caught_up)
        if not is_warm_up:
            figures.rates[side, count].append(rate)
    limit = bare(count, effort.seconds / 2)
    clients_ = f"{count} client{'s' if count > 1 else ''}"
    bench.say(f"{'warm-up' if is_warm_up else 'block'}, {clients_}: {', '.join(shown)}, limit {limit:,.0f}")
    if not is_warm_up:
        figures.rates["limit", count].append(limit)


def report(kind: str, figures: Figures) -> None:
    rows: list[dict[str, bench.Figure]] = [
        {
            "side": side,
            "clients": count,
            "points/s": figures.rate(side, count),
            "of MLflow": figures.ratio(side, count),
            "of limit": figures.of_limit(side, count),
            "blocks": " ".join(f"{rate:,.0f}" for rate in figures.rates[side, count]),
        }
        for count in COUNTS
        for side in (*SIDES, "limit")
    ]
    bench.table(rows, f"{kind}: batches of {POINTS:,} points")
    bench.say(
        f"projections caught up after {figures.caught_up_seconds:.2f} s at most; {figures.refused} answers"
        f" were 429; API and projections take {figures.memory_mebibytes:.0f} MiB (PSS) afterwards"
    )


class Ours:
    """The API and the projections over fresh databases."""

    def __init__(self, url: str, addresses: bench.Addresses, processes: list[Process]) -> None:
        self.url = url
        self._processes = processes
        self._ledger, self._views = open_ledger(addresses.ledger_url), open_views(addresses.views_url)
        self._log = Log(self._ledger)

    def wait_for_projections(self) -> float:
        """Seconds until they are at the head of the log."""
        began = time.monotonic()
        until(self._is_caught_up, CATCH_UP_SECONDS, "the projections", every=0.02)
        return time.monotonic() - began

    def memory_mebibytes(self) -> float:
        """All processes together, pages that they share counted once."""
        mine = psutil.Process()
        found = [each for each in mine.children(recursive=True) if self._is_ours(each)]
        return float(sum(each.memory_full_info().pss for each in found)) / 2**20

    def close(self) -> None:
        self._log.close()
        self._ledger.dispose()
        self._views.dispose()

    def _is_caught_up(self) -> bool:
        with read(self._views) as conn:
            return not any(lag(conn, self._log).values())

    def _is_ours(self, process: psutil.Process) -> bool:
        words = process.cmdline()
        return any(
            words[-len(each.program.command) :] == list(each.program.command) for each in self._processes
        )


@contextmanager
def runledger(kind: str, folder: Path) -> Iterator[Ours]:
    with bench.databases(kind) as addresses:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        env = clean_environment() | {
            "PYTHONSAFEPATH": "1",
            "RUNLEDGER_DATA": str(folder / "data"),
            "RUNLEDGER_PORT": str(port),
            "RUNLEDGER_LEDGER_URL": addresses.ledger_url,
            "RUNLEDGER_VIEWS_URL": addresses.views_url,
            "RUNLEDGER_BLOBS_URL": str(folder / "blobs"),
        }
        programs = [
            Program(name="api", command=(sys.executable, "-P", "-m", "runledger.api"), env=env),
            Program(
                name="projections", command=(sys.executable, "-P", "-m", "runledger.projections"), env=env
            ),
        ]
        processes = [Process(program, folder) for program in programs]
        with started(processes):
            until(lambda: _answers(f"{url}/api/v1/health/ready"), 60, "the API")
            ours = Ours(url, addresses, processes)
            try:
                yield ours
            finally:
                ours.close()


@contextmanager
def mlflow(kind: str, folder: Path) -> Iterator[str]:
    """A stock server with its default workers, over a database of this kind."""
    with ExitStack() as stack:
        store = f"sqlite:///{folder / 'mlflow.db'}"
        if kind == "postgresql":
            store = stack.enter_context(_postgresql_database())
        port = free_port()
        options = {
            "--backend-store-uri": store,
            "--artifacts-destination": str(folder / "artifacts"),
            "--host": "127.0.0.1",
            "--port": str(port),
        }
        words = [word for option in options.items() for word in option]
        env = clean_environment() | {
            "DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        command = (sys.executable, "-P", "-m", "mlflow", "server", *words)
        with started([Process(Program(name="mlflow", command=command, env=env), folder)]):
            url = f"http://127.0.0.1:{port}"
            until(lambda: _answers(f"{url}/health"), 180, "the MLflow server")
            yield url


@contextmanager
def _postgresql_database() -> Iterator[str]:
    name = f"runledger_bench_mlflow_{uuid4().hex[:12]}"
    with psycopg.connect(POSTGRESQL_URL, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            url = make_url(POSTGRESQL_URL).set(drivername="postgresql+psycopg", database=name)
            yield url.render_as_string(hide_password=False)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def started(processes: list[Process]) -> Iterator[None]:
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@contextmanager
def bare_inserts(kind: str) -> Iterator[Callable[[int, float], float]]:
    """Points a second that one connection of the driver inserts, so many batches a commit."""
    with bench.databases(kind) as addresses:
        engine = open_ledger(addresses.ledger_url)
        log = Log(engine)
        connection = Bare(addresses.ledger_url)
        tips: dict[str, Tip] = {}

        def insert(group: int, seconds: float) -> float:
            took, commits = 0.0, 0
            while took < seconds:
                stream = telemetry_stream(RunId(uuid4().hex), 1)
                writes = [
                    [_write(stream, group * at + number) for number in range(group)] for at in range(16)
                ]
                transactions = ready(log.log_id, writes, tips)
                took += sum(connection.run(transactions, threading.Barrier(1)))
                commits += len(transactions)
            return commits * group * POINTS / took

        try:
            yield insert
        finally:
            connection.close()
            log.close()
            engine.dispose()


def _write(stream: Stream, version: int) -> Write:
    new = NewEvent(
        event_id=uuid4(),
        event=batch(version),
        occurred_at=datetime.now(UTC),
        metadata=Metadata(actor="api:local"),
    )
    return Write(stream=stream, expected_version=version, events=(new,))


if __name__ == "__main__":
    main()
