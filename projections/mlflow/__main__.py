"""`python -P -m projections.mlflow`: the sink, until it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from projections.mlflow.process import serve
from projections.mlflow.remote import RemoteMlflow, prepare_environment
from projections.mlflow.settings import MlflowSettings
from tracker.blobs import Blobs
from tracker.errors import BadSetting
from tracker.settings import StorageSettings, load
from tracker.store.engine import open_ledger, open_views


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        storage = load(StorageSettings, os.environ)
        settings = load(MlflowSettings, os.environ)
    except BadSetting as problem:
        sys.exit(str(problem))
    prepare_environment(os.environ)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    ledger, views = open_ledger(storage.ledger), open_views(storage.views)
    try:
        driver = RemoteMlflow(settings.mlflow_url)
        serve(ledger, views, Blobs(storage.blobs), driver, settings, stop)
    finally:
        ledger.dispose()
        views.dispose()


if __name__ == "__main__":
    main()
