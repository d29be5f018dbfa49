"""`python -P -m runledger.projections`: projections up to date, the log sealed, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from runledger.projections.runner import ProjectionSettings, Runner
from runledger.projections.sealing import Sealing
from runledger.tracker.errors import BadSetting, StoreUnavailable
from runledger.tracker.metrics_endpoint import MetricsSettings, serve_metrics
from runledger.tracker.seal.opening import open_sealer
from runledger.tracker.seal.settings import SealSettings
from runledger.tracker.settings import StorageSettings, load
from runledger.tracker.store.engine import open_ledger, open_views
from runledger.tracker.store.log import Log

logger = logging.getLogger("runledger.projections")

EXIT_UNAVAILABLE = 69
EXIT_SOFTWARE = 70
EXIT_CONFIG = 78


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        return _run(stop)
    except BadSetting as problem:
        logger.error("%s", problem)
        return EXIT_CONFIG
    except StoreUnavailable as problem:
        logger.error("%s", problem)
        return EXIT_UNAVAILABLE


def _run(stop: threading.Event) -> int:
    storage = load(StorageSettings, os.environ)
    settings = load(ProjectionSettings, os.environ, prefix="RUNLEDGER_PROJECTIONS_")
    seal_settings = load(SealSettings, os.environ)
    serve_metrics(load(MetricsSettings, os.environ))
    ledger, views = open_ledger(storage.ledger), open_views(storage.views)
    log = Log(ledger)
    try:
        runner = Runner(log, views, settings=settings)
        sealing = Sealing(open_sealer(log, storage, seal_settings), stop, seal_settings.seal_seconds)
        logger.info("keeping up to date: %s", ", ".join(runner.running))
        sealing.start()
        try:
            runner.run(stop)
        finally:
            stop.set()
            sealing.join()
    finally:
        log.close()
        views.dispose()
        ledger.dispose()
    return EXIT_SOFTWARE if sealing.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
