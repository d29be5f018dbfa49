"""What has to be true of this machine before anything starts. Each check raises SetupProblem by name."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from runledger.api.cli.exits import SetupProblem

LEAST_FREE_BYTES = 256 * 1024 * 1024
PROBE_BYTES = 64 * 1024


def check_data_folder(data: Path) -> None:
    """It exists, can be written to, and its disk has room; a folder made for nothing is removed again."""
    made = _missing_folders(data)
    try:
        data.mkdir(parents=True, exist_ok=True)
        _check_room(data)
        _write_probe(data)
    except (OSError, SetupProblem) as problem:
        for folder in made:
            _remove_if_empty(folder)
        if isinstance(problem, OSError):
            raise SetupProblem(f"data folder {data}: {_in_words(problem)}") from problem
        raise


def check_port_is_free(host: str, port: int, variable: str) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as problem:
        taken = problem.errno == errno.EADDRINUSE
        reason = f"is taken by another process; set {variable}" if taken else f"{_in_words(problem)}"
        raise SetupProblem(f"port {port} on {host} {reason}") from problem


def is_file(path: str | None) -> bool:
    return path is not None and Path(path).is_file()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def check_mlflow_answers(url: str) -> None:
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=5)
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        raise SetupProblem(f"MLflow at {url} does not answer: {problem}") from problem
    if answer.status_code != httpx.codes.OK:
        raise SetupProblem(f"MLflow at {url} answers {answer.status_code}")


@contextmanager
def sole_use(data: Path) -> Iterator[None]:
    """Nobody else runs `up` on this folder meanwhile; the kernel lets go of the lock when we end."""
    with (data / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            lock.seek(0)
            raise SetupProblem(f"data folder {data} is in use by process {lock.read().strip()}") from problem
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _check_room(data: Path) -> None:
    free = shutil.disk_usage(data).free
    if free < LEAST_FREE_BYTES:
        least = f"at least {LEAST_FREE_BYTES >> 20} MiB are needed"
        raise SetupProblem(f"data folder {data}: its disk is full: {free / 2**20:.1f} MiB free, {least}")


def _write_probe(data: Path) -> None:
    with tempfile.TemporaryFile(dir=data) as probe:
        probe.write(b"\0" * PROBE_BYTES)
        probe.flush()
        os.fsync(probe.fileno())


def _missing_folders(folder: Path) -> list[Path]:
    """The folder and those of its parents that do not exist yet, the innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _in_words(problem: OSError) -> str:
    return (problem.strerror or str(problem)).lower()
