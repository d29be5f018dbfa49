"""Journals that a killed worker has left on this disk: their telemetry still counts, as superseded.

Nothing else of them does: the facts of such an attempt are decided by whoever has taken over.
"""

from __future__ import annotations

import logging
import shutil
import threading
from pathlib import Path

from trainer.attempt.job import Folder
from trainer.errors import FolderInUse
from trainer.folders import hold, owner_of
from trainer.services import Services
from trainer.shipper import Shipper

logger = logging.getLogger(__name__)


def sweep(services: Services, give_up: threading.Event) -> int:
    """Ship and remove what nobody works in; returns how many folders that were."""
    if not services.attempts.exists():
        return 0
    return sum(_sweep(services, path, give_up) for path in sorted(services.attempts.iterdir()))


def _sweep(services: Services, path: Path, give_up: threading.Event) -> bool:
    owner = owner_of(path)
    if owner is None:
        return False
    folder = Folder(path)
    try:
        with hold(folder):
            shipper = Shipper(services, folder, *owner, facts=None, give_up=give_up)
            shipper.ship_until(_over())
            if shipper.is_complete:
                logger.info("what was left of attempt %s is shipped", path.name)
                shutil.rmtree(path, ignore_errors=True)
            return shipper.is_complete
    except FolderInUse:
        return False


def _over() -> threading.Event:
    over = threading.Event()
    over.set()
    return over
