"""Where the runs of one machine lie until all of them is told, and the small files that say so.

    <journals>/<run>/run.json, lock, courier.lock, courier.log
    <journals>/<run>/<attempt>/attempt.json, journal, output.log, staged/,
        place.json, control.json, refused.jsonl

Each small file is replaced whole, but for refused.jsonl, so a reader sees the old one or the new one.
The training writes run.json and attempt.json, whoever ships the last three. The first two are needed, and
one that is damaged is named; the others are hints, and one that is damaged is as good as none.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import shutil
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from runledger.api.tracking.errors import DamagedFile
from runledger.tracker.spec import Scalar

logger = logging.getLogger(__name__)

HIDDEN = re.compile(r"\.[0-9a-f]{32}")
"""The name of a run that is being removed."""

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


class SavedState(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint that an attempt went on from."""

    step: int
    digest: str


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
    resumed_from: SavedState | None = None
    """That checkpoint; None in what was written without it."""
    is_unasked: bool = False
    """The run was named, was new on this machine, and what the tracker knows of it was not asked."""


class PlaceFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the server calls this attempt, and whether it knows all of it."""

    attempt: int
    epoch: int
    is_shipped: bool = False
    """Everything but its end has been told."""
    is_told: bool = False
    run_id: str | None = None
    """The run as whose attempt it is told, where its own could not take it."""


class ControlFile(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever ships tells the training."""

    stop: Literal["cancel", "pause"] | None = None
    state: Literal["waiting", "online", "offline", "done"] = "waiting"
    problem: str = ""
    """Why it is offline, or what was refused; for people."""
    notice: str = ""
    """What else people have to know: under which other run it is kept, and why."""


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
        return read_hint(self.place, PlaceFile)

    def read_control(self) -> ControlFile:
        return read_hint(self.control, ControlFile) or ControlFile()


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
        """Raises `DamagedFile`, also for a file of another run; `FileNotFoundError` without attempts."""
        try:
            found = read_file(self.file, RunFile)
        except FileNotFoundError:
            if self.attempts():
                raise DamagedFile(self.file, "is missing") from None
            raise
        if found.run_id != self.run_id:
            raise DamagedFile(self.file, f"belongs to run {found.run_id}")
        return found

    def attempt(self, number: int) -> AttemptFolder:
        return AttemptFolder(self.path / str(number))

    def attempts(self) -> list[AttemptFolder]:
        """In order. An attempt that died before its file was whole never was one."""
        numbers = sorted(int(path.name) for path in self.path.iterdir() if path.name.isdecimal())
        found = (self.attempt(number) for number in numbers)
        return [attempt for attempt in found if attempt.file.exists()]


def run_folders(journals: Path) -> list[RunFolder]:
    """Every run below the journals folder, in the order in which they were begun; damaged ones first.

    A run that is told is removed under a hidden name: others see all of it or nothing.
    """
    if not journals.is_dir():
        return []
    named = (RunFolder(path) for path in journals.iterdir() if not path.name.startswith("."))
    begun = {folder: at for folder in named if (at := _begun_at(folder)) is not None}
    return sorted(begun, key=lambda folder: (begun[folder], folder.run_id))


def _begun_at(folder: RunFolder) -> int | None:
    """In µs since 1970, 0 where that cannot be read; None for what is no run, or not any more."""
    try:
        return folder.read().created_at
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (DamagedFile, OSError):
        return 0


def sweep(journals: Path) -> None:
    """Remove what is left of runs whose courier was killed while it removed them. Any number may do so."""
    if journals.is_dir():
        for path in journals.iterdir():
            if HIDDEN.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)


def write_file(path: Path, content: msgspec.Struct) -> None:
    """Replace `path` whole; it lasts once this returns."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with unfinished.open("wb") as file:
        file.write(msgspec.json.encode(content))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def read_file(path: Path, kind: type[FileT]) -> FileT:
    """Raises `FileNotFoundError` and `DamagedFile`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise DamagedFile(path, str(problem)) from problem


def read_hint(path: Path, kind: type[FileT]) -> FileT | None:
    """None for a file that is not there, or not readable as one."""
    try:
        return read_file(path, kind)
    except FileNotFoundError:
        return None
    except DamagedFile as damage:
        logger.warning("%s", damage)
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
        except OSError:
            os.close(file)
            raise
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
