"""Journals that a killed worker has left on this disk: their telemetry still counts, as superseded.

Nothing else of them does: the facts of such an attempt are decided by whoever has taken over. What a
killed upload has left goes, too.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from pathlib import Path

from runledger.trainer.attempt.job import Folder
from runledger.trainer.errors import FolderInUse
from runledger.trainer.folders import hold, owner_of
from runledger.trainer.services import Services
from runledger.trainer.shipper import shipper

logger = logging.getLogger(__name__)

UNFINISHED_SECONDS = 86_400.0
"""No upload stands still for a day and then goes on."""
BORN_SECONDS = 60.0
"""A folder without a journal may be one that its supervisor has just made, and is about to hold."""


def sweep(services: Services, give_up: threading.Event) -> int:
    """Ship and remove what nobody works in; returns how many folders that were."""
    paths = sorted(services.attempts.iterdir()) if services.attempts.exists() else []
    swept = sum(_sweep(services, path, give_up) for path in paths)
    services.blobs.forget_unfinished(UNFINISHED_SECONDS)
    return swept


def _sweep(services: Services, path: Path, give_up: threading.Event) -> bool:
    owner = owner_of(path)
    if owner is None:
        return False
    folder = Folder(path)
    if _is_just_made(folder):
        return False
    try:
        with hold(folder):
            walk = shipper(services, folder, *owner, facts=None, give_up=give_up)
            walk.ship_until(_over())
            if walk.is_complete:
                logger.info("what was left of attempt %s is shipped", path.name)
                shutil.rmtree(path, ignore_errors=True)
            return walk.is_complete
    except FolderInUse:
        return False


def _is_just_made(folder: Folder) -> bool:
    try:
        age_seconds = time.time() - folder.path.stat().st_mtime
    except FileNotFoundError:
        return True  # or just removed
    return age_seconds < BORN_SECONDS and not folder.journal.exists()


def _over() -> threading.Event:
    over = threading.Event()
    over.set()
    return over
