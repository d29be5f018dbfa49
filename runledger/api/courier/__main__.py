"""`python -P -m runledger.api.courier FOLDER`: the courier of one run, started by the process that trains it.

It outlives that process, and exits once all is told, or once it has not got through for a while after.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from runledger.api.courier.delivery import Delivery
from runledger.api.courier.door import Door
from runledger.api.courier.errors import RefusedFact
from runledger.api.courier.patience import Patience
from runledger.api.courier.settings import CourierSettings
from runledger.api.courier.tally import Tally
from runledger.api.tracking.errors import DamagedFile
from runledger.api.tracking.folders import AttemptFolder, Lock, RunFolder, sweep
from runledger.tracker.errors import BadSetting, GaveUp
from runledger.tracker.settings import load

logger = logging.getLogger("runledger.api.courier")

LOCK_SECONDS = 0.5
REFUSED_SECONDS = 30.0
TOLD = 0
LEFT = 1
BAD_USAGE = 2


def main(arguments: list[str], environ: Mapping[str, str]) -> int:
    """0 once all is told, 1 where something is left for `runledger sync`, 2 where that would be in vain."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    try:
        (name,) = arguments
        settings = load(CourierSettings, environ)
        Door(settings.url).close()
    except (ValueError, BadSetting) as problem:
        logger.error("%s", problem)
        return BAD_USAGE
    folder = RunFolder(Path(name))
    try:
        sweep(folder.path.parent)
        return ship(folder, settings)
    except DamagedFile as damage:
        logger.error("%s", damage)
        return BAD_USAGE


def ship(folder: RunFolder, settings: CourierSettings) -> int:
    attempts = folder.attempts()
    parent, next_ = attempts[-1].read().pid, folder.attempt(attempts[-1].number + 1)

    def is_alive() -> bool:
        """A process that executes itself once more is the same, and trains the next attempt."""
        return os.getppid() == parent and not os.access(next_.file, os.F_OK)  # raises for no disk

    with Patience(is_alive, settings.flush_seconds) as patience:
        lock = Lock(folder.courier_lock)
        for tries in itertools.count():
            if lock.acquire():
                break
            if tries == 0:
                logger.info("another courier ships run %s: it goes first", folder.run_id)
            if patience.is_over.wait(LOCK_SECONDS):
                return LEFT
        return _ship(folder, attempts, settings, patience)


def _ship(
    folder: RunFolder, attempts: Sequence[AttemptFolder], settings: CourierSettings, patience: Patience
) -> int:
    connect = partial(Door, settings.url, settings.token)
    while True:
        tally = Tally()
        try:
            Delivery(
                folder,
                attempts,
                connect,
                patience,
                lease_seconds=settings.lease_seconds,
                tally=tally,
                waits_when_denied=True,
            ).deliver()
        except RefusedFact as refusal:
            logger.error("the tracker does not take run %s: %s", folder.run_id, refusal)
            if patience.is_over.wait(REFUSED_SECONDS):
                return LEFT
        except GaveUp:
            logger.warning("given up for now: `runledger sync` ships the rest")
            return LEFT
        else:
            logger.info("all is told: %s", tally)
            return TOLD


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
