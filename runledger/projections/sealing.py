"""The sealer beside the projections: another consumer of the log, in a thread of the same process."""

from __future__ import annotations

import logging
import threading

from runledger.tracker.seal.sealer import Sealer

logger = logging.getLogger(__name__)


class Sealing:
    """Seals until `stop` is set. What it did not expect sets `stop`, and `has_failed`: begin anew."""

    def __init__(self, sealer: Sealer, stop: threading.Event, seal_seconds: float) -> None:
        self.has_failed = False
        self._sealer = sealer
        self._stop = stop
        self._seal_seconds = seal_seconds
        self._thread = threading.Thread(target=self._run, name="sealer")

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        try:
            self._sealer.run(self._stop, self._seal_seconds)
        except Exception:
            logger.exception("the sealer has failed")
            self.has_failed = True
            self._stop.set()
