"""What the benchmarks share: databases, whole installations, a peer's server, tables and the last line.

A benchmark is a command that prints figures and ends with `RESULT name=value …`; it asserts no time.
Nothing here measures: each benchmark says itself what it counts and how.
"""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import psycopg

from runledger.api.cli.preflight import free_port
from runledger.api.cli.processes import Process
from runledger.api.cli.programs import child_environment, mlflow_server
from runledger.api.cli.settings import UpSettings
from tests.conftest import POSTGRESQL_URL, PostgresqlDatabases, SqliteDatabases
from tests.system.installation import Installation, clean_environment, until

KINDS = ("sqlite", "postgresql")
Figure = float | int | str | None
"""None: not measured here."""


class Addresses(NamedTuple):
    """A fresh ledger and its views."""

    ledger_url: str
    views_url: str


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder on disk for one benchmark, removed afterwards. TMPDIR chooses the disk."""
    folder = Path(tempfile.mkdtemp(prefix="runledger-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def kinds() -> tuple[str, ...]:
    """The databases that can be measured here; says so where PostgreSQL is missing."""
    try:
        psycopg.connect(POSTGRESQL_URL, connect_timeout=3).close()
    except psycopg.OperationalError as problem:
        say(f"not measured: PostgreSQL at {POSTGRESQL_URL}: {problem}")
        return ("sqlite",)
    return KINDS


@contextmanager
def databases(kind: str) -> Iterator[Addresses]:
    """A migrated ledger and views of this kind, dropped afterwards."""
    if kind == "sqlite":
        with workspace() as folder:
            yield Addresses(*SqliteDatabases(folder).migrated())
        return
    with psycopg.connect(POSTGRESQL_URL, autocommit=True) as connection:
        server = PostgresqlDatabases(connection)
        try:
            yield Addresses(*server.migrated())
        finally:
            server.drop_all()


@contextmanager
def installed(folder: Path, environment: Mapping[str, str], *options: str) -> Iterator[Installation]:
    """`runledger up` under `folder`, with the settings as they ship but for `environment`."""
    installation = Installation(folder / "data", environment, options, settings={})
    try:
        yield installation.wait_until_up()
    finally:
        installation.close()


@contextmanager
def mlflow(folder: Path) -> Iterator[str]:
    """The address of a stock MLflow server of its own, on SQLite under `folder`."""
    settings = UpSettings(data=folder, mlflow_port=free_port())
    environment = child_environment(settings, clean_environment(), with_mlflow=True)
    process = Process(mlflow_server(settings, environment), folder)
    process.start()
    try:
        assert process.program.is_ready is not None
        until(process.program.is_ready, 120, "the MLflow server")
        yield f"http://127.0.0.1:{settings.mlflow_port}"
    finally:
        process.stop()


def say(text: str = "") -> None:
    """A line of the report, at once."""
    print(text, flush=True)


def describe_machine() -> str:
    """What the figures were measured on, in one line."""
    folder = Path(tempfile.gettempdir()).resolve()
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    disk = next((mounts[place] for place in (folder, *folder.parents) if place in mounts), "unknown")
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{len(os.sched_getaffinity(0))} cores ({_processor()}), {memory:.0f} GiB, {platform.system()}"
        f" {platform.release()}, {folder} on {disk}, Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}{_postgresql()}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _postgresql() -> str:
    try:
        with psycopg.connect(POSTGRESQL_URL, connect_timeout=3) as connection:
            return f", PostgreSQL {connection.info.server_version // 10_000}"
    except psycopg.OperationalError:
        return ""


def table(rows: Sequence[Mapping[str, Figure]], title: str = "") -> None:
    """Print rows that share their columns: the first row's names, numbers to the right."""
    names = list(rows[0]) if rows else []
    cells = [names, *([_format(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(names))]
    is_number = [not isinstance(rows[0].get(name), str) for name in names]
    if title:
        say(f"\n{title}")
    for line in cells:
        aligned = [
            cell.rjust(width) if to_the_right else cell.ljust(width)
            for cell, width, to_the_right in zip(line, widths, is_number, strict=True)
        ]
        say("  ".join(aligned).rstrip())


def result(**figures: Figure) -> None:
    """The last line of a benchmark."""
    sys.stdout.flush()
    say("RESULT " + " ".join(f"{name}={_format(value).replace(',', '')}" for name, value in figures.items()))


def _format(value: Figure) -> str:
    if value is None:
        return "n/a"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else value
