"""`python -P -m runledger.projections.mlflow`: tells MLflow what the log says, until SIGTERM or SIGINT."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
import threading

from runledger.projections.mlflow.driver import MlflowDriver
from runledger.projections.mlflow.process import serve
from runledger.projections.mlflow.settings import MlflowSettings
from runledger.tracker.blobs import Blobs
from runledger.tracker.errors import BadSetting
from runledger.tracker.metrics_endpoint import MetricsSettings, serve_metrics
from runledger.tracker.settings import StorageSettings, load
from runledger.tracker.store.engine import open_ledger, open_views

logger = logging.getLogger("runledger.projections.mlflow")

EXIT_CONFIG = 78


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        _run(stop)
    except BadSetting as problem:
        logger.error("%s", problem)
        return EXIT_CONFIG
    return 0


def _run(stop: threading.Event) -> None:
    storage = load(StorageSettings, os.environ)
    settings = load(MlflowSettings, os.environ)
    serve_metrics(load(MetricsSettings, os.environ))
    ledger, views = open_ledger(storage.ledger), open_views(storage.views)
    try:
        serve(ledger, views, Blobs(storage.blobs), _remote(settings.mlflow_url), settings, stop)
    finally:
        ledger.dispose()
        views.dispose()


def _remote(url: str) -> MlflowDriver:
    """Imported once the settings have been found good: it takes seconds."""
    remote = importlib.import_module("runledger.projections.mlflow.remote")
    remote.prepare_environment(os.environ)
    driver: MlflowDriver = remote.RemoteMlflow(url)
    return driver


if __name__ == "__main__":
    sys.exit(main())
