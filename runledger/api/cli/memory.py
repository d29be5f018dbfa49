"""What the processes of a running `up` hold in memory, found below the process that holds its data folder.

PSS, which counts memory that processes share once in all, where the system tells it (Linux); elsewhere USS,
which leaves out what is shared.
"""

from __future__ import annotations

import fcntl
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil

LOCK = "up.lock"
MLFLOW = ("mlflow", "projections.mlflow")
SPARE = "trainer.attempt.spare"
ATTEMPTS = "attempts"
UNIT = "pss" if psutil.LINUX else "uss"


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """By one process."""

    name: str
    """The program: `up`, `guard`, `api`, `trainer`, `attempt`, `spare`, `mlflow` …"""
    pid: int
    size_bytes: int

    @property
    def is_of_mlflow(self) -> bool:
        return self.name in MLFLOW


def owner(data: Path) -> int | None:
    """The process that has `up` running on this data folder."""
    try:
        with (data / LOCK).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read())
    except (OSError, ValueError):
        return None
    return None


def held(up: int) -> list[Held]:
    """By `up` and all that it has started. Raises `psutil.Error` where we may not ask."""
    process = psutil.Process(up)
    found = [_held("up", process)]
    for guard in process.children():
        with suppress(psutil.NoSuchProcess):
            found.append(_held("guard", guard))
            found += [each for program in guard.children() for each in _of_program(program)]
    return found


def _of_program(program: psutil.Process) -> list[Held]:
    """By a program and all that it has started."""
    name = _module(program) or program.name()
    found = [_held(name, program)]
    for started in program.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            found.append(_held(name if name in MLFLOW else _role(started), started))
    return found


def _role(process: psutil.Process) -> str:
    """Of what a worker has started: a spare has no attempt's folder open."""
    if _module(process) != SPARE or any(ATTEMPTS in Path(each.path).parts for each in process.open_files()):
        return "attempt"
    return "spare"


def _module(process: psutil.Process) -> str | None:
    """`python … -m MODULE …`, less the name that all of ours begin with."""
    words = process.cmdline()
    return words[words.index("-m") + 1].removeprefix("runledger.") if "-m" in words[:-1] else None


def _held(name: str, process: psutil.Process) -> Held:
    size_bytes: int = getattr(process.memory_full_info(), UNIT)
    return Held(name=name, pid=process.pid, size_bytes=size_bytes)
