"""The folders of attempts on this worker's disk, each held by a lock for as long as anybody works in it.

The attempt's process inherits the lock: what a killed worker has left is nobody's only once its
child is gone, too.
"""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runledger.tracker.ids import RunId
from runledger.trainer.attempt.job import Folder
from runledger.trainer.errors import FolderInUse

LAST_LINES = 20
LAST_BYTES = 16 * 1024
MAX_LINE_LENGTH = 500


@contextmanager
def hold(folder: Folder) -> Iterator[int]:
    """Make the folder and hold its lock. Raises `FolderInUse`."""
    folder.path.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(lock, folder)
        yield lock
    finally:
        os.close(lock)


def _take(lock: int, folder: Folder) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FolderInUse(str(folder.path)) from None


def name_of(run_id: RunId, attempt: int) -> str:
    return f"{run_id}-{attempt}"


def owner_of(path: Path) -> tuple[RunId, int] | None:
    """The run and the attempt whose folder it is, or None for something else."""
    run_id, _, attempt = path.name.rpartition("-")
    return (RunId(run_id), int(attempt)) if run_id and attempt.isdecimal() else None


def last_lines(output: Path) -> tuple[str, ...]:
    """The end of the output, as a person would look at it first."""
    try:
        with output.open("rb") as file:
            file.seek(max(0, output.stat().st_size - LAST_BYTES))
            text = file.read().decode(errors="replace").replace("\0", "")
    except FileNotFoundError:
        return ()
    return tuple(line[:MAX_LINE_LENGTH] for line in deque(text.splitlines(), maxlen=LAST_LINES))
