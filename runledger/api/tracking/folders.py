"""Where the runs of one machine lie until all of them is told, and the small files that say so.

    <journals>/<run>/run.json, lock, courier.lock, courier.log
    <journals>/<run>/<attempt>/attempt.json, journal, output.log, staged/,
        place.json, control.json, refused.jsonl

Each small file is replaced whole, but for refused.jsonl, so a reader sees the old one or the new one.
The training writes run.json and attempt.json, whoever ships the last three.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from runledger.tracker.spec import Scalar

FileT = TypeVar("FileT", bound=msgspec.Struct)


class RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. Written once, when the run begins; never changed."""

    run_id: str
    experiment: str
    name: str | None = None
    params: dict[str, Scalar] = {}
    tags: dict[str, str] = {}
    created_at: int
    """µs since 1970."""


class AttemptFile(msgspec.Struct, frozen=True, kw_only=True):
    """One process that trained or trains. Written before its journal."""

    number: int
    """Counted on this machine, from 1; the server may count otherwise, see `PlaceFile`."""
    worker: str
    """`<host>-<pid>-<8 hex digits>`: no two attempts share it."""
    resume: bool
    """Whether it goes on from the checkpoint of the attempt before."""
    started_at: int
    """µs since 1970."""
    pid: int


class PlaceFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the server calls this attempt, and whether it knows all of it."""

    attempt: int
    epoch: int
    is_shipped: bool = False
    """Everything but its end has been told."""
    is_told: bool = False


class ControlFile(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever ships tells the training."""

    stop: Literal["cancel", "pause"] | None = None
    state: Literal["waiting", "online", "offline", "done"] = "waiting"
    problem: str = ""
    """Why it is offline, or what was refused; for people."""


class AttemptFolder:
    """One attempt's files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = int(path.name)
        self.file = path / "attempt.json"
        self.journal = path / "journal"
        self.output = path / "output.log"
        self.staged = path / "staged"
        self.place = path / "place.json"
        self.control = path / "control.json"
        self.refused = path / "refused.jsonl"
        """What the tracker did not take, and why; by whoever ships."""
        self.checkpoint = path / "checkpoint"
        """The unpacked state that this attempt went on from."""

    def read(self) -> AttemptFile:
        return read_file(self.file, AttemptFile)

    def read_place(self) -> PlaceFile | None:
        """None as long as the server was not told of this attempt."""
        return read_file_if_there(self.place, PlaceFile)

    def read_control(self) -> ControlFile:
        return read_file_if_there(self.control, ControlFile) or ControlFile()


class RunFolder:
    """One run's files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_id = path.name
        self.file = path / "run.json"
        self.lock = path / "lock"
        """Held by the process that trains, for as long as it lives."""
        self.courier_lock = path / "courier.lock"
        """Held by whoever ships this run."""
        self.courier_log = path / "courier.log"

    def read(self) -> RunFile:
        return read_file(self.file, RunFile)

    def attempt(self, number: int) -> AttemptFolder:
        return AttemptFolder(self.path / str(number))

    def attempts(self) -> list[AttemptFolder]:
        """In order. An attempt that died before its file was whole never was one."""
        numbers = sorted(int(path.name) for path in self.path.iterdir() if path.name.isdecimal())
        found = (self.attempt(number) for number in numbers)
        return [attempt for attempt in found if attempt.file.exists()]


def run_folders(journals: Path) -> list[RunFolder]:
    """Every run below the journals folder, in the order in which they were begun.

    A run that is told is removed under a hidden name: others see all of it or nothing.
    """
    if not journals.is_dir():
        return []
    named = (path for path in journals.iterdir() if not path.name.startswith("."))
    found = [RunFolder(path) for path in named if (path / "run.json").exists()]
    return sorted(found, key=lambda folder: (folder.read().created_at, folder.run_id))


def write_file(path: Path, content: msgspec.Struct) -> None:
    """Replace `path` whole; it lasts once this returns."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with unfinished.open("wb") as file:
        file.write(msgspec.json.encode(content))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def read_file(path: Path, kind: type[FileT]) -> FileT:
    """Raises `FileNotFoundError`, or `msgspec.DecodeError` for a file that somebody else has made."""
    return msgspec.json.decode(path.read_bytes(), type=kind)


def read_file_if_there(path: Path, kind: type[FileT]) -> FileT | None:
    try:
        return read_file(path, kind)
    except FileNotFoundError:
        return None


class Lock:
    """An advisory lock on a file, held until `release` or the end of this process, whatever ends it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def acquire(self) -> bool:
        """False if another process holds it, or another `Lock` of this one.

        Raises `FileNotFoundError` where the file was removed meanwhile.
        """
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        if os.fstat(file).st_nlink == 0:
            os.close(file)
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
        self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self.forget()

    def forget(self) -> None:
        """In a forked child: drop its copy, so that the lock is its parent's alone."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock on this file now."""
    if not path.exists():
        return False
    lock = Lock(path)
    if not lock.acquire():
        return True
    lock.release()
    return False
