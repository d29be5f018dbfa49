"""The state to go on from: from this machine's disk, or else from the tracker, in bounded time."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from runledger.api.tracking.errors import CheckpointUnavailable, RunOver
from runledger.api.tracking.folders import AttemptFolder
from runledger.api.tracking.settings import TrackingSettings
from runledger.api.tracking.told import Saved
from runledger.tracker.staging import unpack

if TYPE_CHECKING:
    from runledger.api.answers import Checkpoint, Run

ASK_SECONDS = 10.0
"""How long the tracker may keep silent."""


def unpack_saved(run_id: str, saved: Saved, into: AttemptFolder, settings: TrackingSettings) -> None:
    """Unpack into `into.checkpoint`. Raises `CheckpointUnavailable`."""
    staged = saved.attempt.staged / saved.digest if saved.attempt else None
    if staged is not None and staged.exists():
        unpack(staged, into.checkpoint)
        return
    fetched = into.path / "checkpoint.tar"
    problem = "it is not on this disk, and the run is offline" if settings.offline else None
    if problem := problem or _download(saved.digest, fetched, settings):
        raise CheckpointUnavailable(run_id, saved.step, problem)
    unpack(fetched, into.checkpoint)
    fetched.unlink()


def _download(digest: str, to: Path, settings: TrackingSettings) -> str | None:
    """What went wrong, if anything did."""
    from runledger.api.client import Client, ClientError  # heavy, and hardly ever needed

    try:
        with Client(settings.address, settings.token, timeout_seconds=ASK_SECONDS, retry_seconds=0) as client:
            client.download(digest, to)
    except ClientError as problem:
        return str(problem)
    if _digest(to) != digest:
        return f"what {settings.address} sends has another digest"
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ask_saved(run_id: str, settings: TrackingSettings) -> tuple[Saved | None, str]:
    """What the tracker would go on from in a run that this machine does not know; or why it cannot say.

    Raises `RunOver`.
    """
    from runledger.api.client import Client, ClientError, NotFound

    try:
        with Client(settings.address, settings.token, timeout_seconds=ASK_SECONDS, retry_seconds=0) as client:
            run = client.run(run_id)
            if run.status in ("completed", "cancelled"):
                raise RunOver(run_id, run.status)
            return _resume_point(run, client.checkpoints(run_id)), ""
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


def clear_unpacked(attempts: list[AttemptFolder]) -> None:
    """States that killed attempts went on from: nobody reads them any more."""
    for attempt in attempts:
        shutil.rmtree(attempt.checkpoint, ignore_errors=True)
