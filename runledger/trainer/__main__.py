"""`python -P -m runledger.trainer`: one worker. SIGTERM and SIGINT preempt what trains, then it ends.

SIGUSR1 drains it: it takes nothing new, finishes what it trains, and then it ends.
"""

from __future__ import annotations

import logging
import os
import signal
import sys

from runledger.tracker.errors import BadSetting, StoreUnavailable
from runledger.tracker.metrics_endpoint import MetricsSettings, serve_metrics
from runledger.tracker.settings import StorageSettings, load
from runledger.trainer.errors import RecipesNotFound
from runledger.trainer.settings import TrainerSettings
from runledger.trainer.worker import Orders, TrainerProcess, build_services

EXIT_UNAVAILABLE = 69
EXIT_CONFIG = 78


def main() -> int:
    """0: ended in order; 69: database or data folder cannot be used; 78: a setting does not fit."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    orders = Orders.new()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: orders.leave())
    signal.signal(signal.SIGUSR1, lambda *_: orders.drain())
    try:
        serve_metrics(load(MetricsSettings, os.environ))
        settings, storage = load(TrainerSettings, os.environ), load(StorageSettings, os.environ)
        services = build_services(settings, storage, os.environ)
        TrainerProcess(services).run(orders)
    except (BadSetting, RecipesNotFound) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    except StoreUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_UNAVAILABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
