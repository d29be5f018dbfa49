"""The state to go on from: from this machine's disk, or else from the tracker, in bounded time."""

from __future__ import annotations

import logging
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from runledger.api.tracking.errors import CheckpointUnavailable, Misused, RunOver
from runledger.api.tracking.folders import AttemptFolder, RunFile
from runledger.api.tracking.settings import TrackingSettings
from runledger.api.tracking.told import Saved
from runledger.api.tracking.values import changed
from runledger.tracker.errors import BlobCorrupt
from runledger.tracker.staging import clear_unfinished, unpack

if TYPE_CHECKING:
    from runledger.api.answers import Checkpoint, Run

logger = logging.getLogger(__name__)

ASK_SECONDS = 10.0
"""How long the tracker may keep silent."""


def unpack_saved(run_id: str, saved: Saved, into: AttemptFolder, settings: TrackingSettings) -> None:
    """Unpack into `into.checkpoint`. Raises `CheckpointUnavailable`."""
    staged = saved.attempt.staged / saved.digest if saved.attempt else None
    lacking = "it is not on this disk"
    if staged is not None and staged.exists():
        if not (damage := _unpack(staged, saved.digest, into)):
            return
        lacking = f"its copy {staged} is damaged ({damage})"
        logger.warning("run %s, checkpoint of step %d: %s", run_id, saved.step, lacking)
    fetched = into.path / "checkpoint.tar"
    problem = f"{lacking}, and the run is offline" if settings.offline else None
    problem = problem or _download(saved.digest, fetched, settings) or _unpack(fetched, saved.digest, into)
    fetched.unlink(missing_ok=True)
    if problem:
        raise CheckpointUnavailable(run_id, saved.step, problem)


def _unpack(packed: Path, digest: str, into: AttemptFolder) -> str | None:
    """What is wrong with it, if anything is."""
    try:
        unpack(packed, into.checkpoint, digest)
    except (tarfile.TarError, BlobCorrupt) as problem:
        return str(problem)
    return None


def _download(digest: str, to: Path, settings: TrackingSettings) -> str | None:
    """What went wrong, if anything did."""
    from runledger.api.client import Client, ClientError  # heavy, and hardly ever needed

    try:
        with Client(settings.address, settings.token, timeout_seconds=ASK_SECONDS, retry_seconds=0) as client:
            client.download(digest, to)
    except ClientError as problem:
        return str(problem)
    return None


def ask_saved(asked: RunFile, settings: TrackingSettings) -> tuple[Saved | None, str]:
    """What the tracker would go on from in a run that this machine does not know; or why it cannot say.

    Raises `RunOver`, and `Misused` where the id stands for another run there.
    """
    from runledger.api.client import Client, ClientError, NotFound

    try:
        with Client(settings.address, settings.token, timeout_seconds=ASK_SECONDS, retry_seconds=0) as client:
            run = client.run(asked.run_id)
            if run.status in ("completed", "cancelled"):
                raise RunOver(asked.run_id, run.status)
            if differing := changed(run.params, asked.params):
                raise Misused(f"run {asked.run_id} is another one at {settings.address}: {differing}")
            return _resume_point(run, client.checkpoints(asked.run_id)), ""
    except NotFound:
        return None, ""
    except ClientError as problem:
        return None, str(problem)


def _resume_point(run: Run, checkpoints: list[Checkpoint]) -> Saved | None:
    last = max(run.attempts, key=lambda each: each.attempt, default=None)
    if last is None:
        return None
    own = [each for each in checkpoints if each.attempt == last.attempt and each.deleted_at is None]
    point = max(own, key=lambda each: each.step, default=None) or last.resumed_from
    return Saved(point.step, point.digest) if point else None


def clear_leftovers(attempts: list[AttemptFolder]) -> None:
    """What killed attempts have left: states that they went on from, and copies not finished."""
    for attempt in attempts:
        shutil.rmtree(attempt.checkpoint, ignore_errors=True)
        clear_unfinished(attempt.staged)
