"""`python -P -m trainer`: one worker. SIGTERM and SIGINT preempt what trains, then it ends."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from tracker.errors import BadSetting, StoreUnavailable
from tracker.settings import StorageSettings, load
from trainer.recipes import RecipesNotFound
from trainer.settings import TrainerSettings
from trainer.worker import TrainerProcess, build_services

USAGE = 2
UNAVAILABLE = 3


def main() -> int:
    """0: ended in order; 2: a setting does not fit; 3: the database cannot be used."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings, storage = load(TrainerSettings, os.environ), load(StorageSettings, os.environ)
        services = build_services(settings, storage, os.environ)
        TrainerProcess(services).run(stop)
    except (BadSetting, RecipesNotFound) as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    except StoreUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return UNAVAILABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
