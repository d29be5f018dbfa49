"""Which run a call of `runledger.run` begins or goes on with, and the folder of its next attempt."""

from __future__ import annotations

import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec

from runledger.api.tracking.errors import DamagedFile, Misused, RunBusy, RunOver
from runledger.api.tracking.fetching import ask_saved, clear_leftovers, unpack_saved
from runledger.api.tracking.folders import (
    AttemptFile,
    AttemptFolder,
    Lock,
    RunFile,
    RunFolder,
    SavedState,
    run_folders,
    write_file,
)
from runledger.api.tracking.settings import TrackingSettings
from runledger.api.tracking.told import Saved, all_params, final_outcome, last_saved
from runledger.api.tracking.values import changed
from runledger.tracker.ids import new_id
from runledger.tracker.spec import Scalar

logger = logging.getLogger(__name__)

BUSY_SECONDS = 1.0
"""How long a process that was killed may take to let go of its lock."""
MAX_HOST_CHARS = 100


class Begun(msgspec.Struct, frozen=True):
    """A locked run and its new attempt."""

    run: RunFile
    folder: RunFolder
    attempt: AttemptFolder
    lock: Lock
    saved: Saved | None
    params: dict[str, Scalar]
    """All that are known already."""
    is_new: bool
    unasked: str = ""
    """Why it is not known whether the tracker has this run, which is new here; empty where it is."""


def begin(asked: RunFile, settings: TrackingSettings, *, resume: bool) -> Begun:
    """`asked.run_id` is empty where any run will do.

    Raises `RunBusy`, `RunOver`, `CheckpointUnavailable`, `Misused`; `OSError` where the disk refuses.
    """
    try:
        return _begin(asked, settings, resume=resume)
    except FileNotFoundError:  # a courier has just removed the folder of a run that is told
        return _begin(asked, settings, resume=resume)


def _begin(asked: RunFile, settings: TrackingSettings, *, resume: bool) -> Begun:
    journals = settings.journals.absolute()
    journals.mkdir(parents=True, exist_ok=True)
    if asked.run_id:
        folder, lock = _named(RunFolder(journals / asked.run_id))
    elif resume and (found := _unfinished(journals, asked)):
        folder, lock = found
    else:
        folder, lock = _named(RunFolder(journals / new_id()))
    try:
        return _next_attempt(asked, folder, lock, settings, resume=resume)
    except BaseException:
        lock.release()
        raise


def _named(folder: RunFolder) -> tuple[RunFolder, Lock]:
    folder.path.mkdir(exist_ok=True)
    lock = Lock(folder.lock)
    if not _in_time(lock.acquire):
        raise RunBusy(folder.run_id, folder.lock)
    return folder, lock


def _in_time(succeeds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + BUSY_SECONDS
    while not (done := succeeds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return done


def _unfinished(journals: Path, asked: RunFile) -> tuple[RunFolder, Lock] | None:
    """The last run of this experiment and name that nobody trains and that may go on."""
    candidates = [folder for folder in reversed(run_folders(journals)) if _is_alike(folder, asked)]
    found: list[tuple[RunFolder, Lock]] = []

    def take() -> bool:
        """Whether there is nothing to wait for: one was taken, or none is held by another process."""
        is_any_busy = False
        for folder in candidates:
            lock = Lock(folder.lock)
            if not lock.acquire():
                is_any_busy = True
            elif final_outcome(folder) is None:
                found.append((folder, lock))
                return True
            else:
                lock.release()
        return not is_any_busy

    _in_time(take)
    return found[0] if found else None


def _is_alike(folder: RunFolder, asked: RunFile) -> bool:
    """A run whose params were others is another run, and says so; so does one that cannot be read."""
    try:
        run = folder.read()
        for attempt in folder.attempts():
            attempt.read()
    except FileNotFoundError:  # the caller begins anew
        raise
    except (DamagedFile, OSError) as problem:
        logger.warning("the run in %s cannot go on: %s", folder.path, problem)
        return False
    if (run.experiment, run.name) != (asked.experiment, asked.name):
        return False
    if differing := changed(run.params, asked.params):
        logger.info("run %s does not go on: %s", run.run_id, differing)
    return not differing


def _next_attempt(
    asked: RunFile, folder: RunFolder, lock: Lock, settings: TrackingSettings, *, resume: bool
) -> Begun:
    is_new = not folder.file.exists()
    run = asked if is_new else folder.read()
    unasked = ""
    if is_new:
        run = msgspec.structs.replace(asked, run_id=folder.run_id)
        saved, unasked = _ask(run, settings, resume=resume) if asked.run_id else (None, "")
    else:
        _check_same(run, asked)
        saved = last_saved(folder) if resume else None
    if outcome := final_outcome(folder):
        raise RunOver(run.run_id, outcome)
    clear_leftovers(folder.attempts())
    attempt = _make_folder(folder)
    try:
        if saved is not None:
            unpack_saved(run.run_id, saved, attempt, settings)
        if is_new:
            write_file(folder.file, run)
        write_file(attempt.file, _describe(attempt, saved, is_unasked=bool(unasked)))
    except BaseException:
        shutil.rmtree(attempt.path, ignore_errors=True)
        raise
    params = run.params if is_new else all_params(folder)
    return Begun(run, folder, attempt, lock, saved, params, is_new, unasked)


def _ask(run: RunFile, settings: TrackingSettings, *, resume: bool) -> tuple[Saved | None, str]:
    """A run that was named and is not known here may have begun on another machine: what to go on from
    there, and why that is not known."""
    if settings.offline:
        return None, "the run is offline"
    if not resume:
        return None, "it was not asked"
    return ask_saved(run, settings)


def _check_same(run: RunFile, asked: RunFile) -> None:
    if run.experiment != asked.experiment:
        raise Misused(f"run {run.run_id} belongs to experiment {run.experiment!r}, not {asked.experiment!r}")
    if differing := changed(run.params, asked.params):
        raise Misused(f"run {run.run_id} cannot go on as another one: {differing}")


def _make_folder(folder: RunFolder) -> AttemptFolder:
    numbers = [int(path.name) for path in folder.path.iterdir() if path.name.isdecimal()]
    attempt = folder.attempt(max(numbers, default=0) + 1)
    attempt.path.mkdir()
    return attempt


def _describe(attempt: AttemptFolder, saved: Saved | None, *, is_unasked: bool) -> AttemptFile:
    host = os.uname().nodename[:MAX_HOST_CHARS]
    return AttemptFile(
        number=attempt.number,
        worker=f"{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
        resume=saved is not None,
        started_at=time.time_ns() // 1000,
        pid=os.getpid(),
        resumed_from=SavedState(step=saved.step, digest=saved.digest) if saved else None,
        is_unasked=is_unasked,
    )
