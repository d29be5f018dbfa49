"""Keeps the lease of an attempt while its facts are shipped, and brings back what people ask of the run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType

from runledger.api.courier.claim import Claim
from runledger.api.courier.door import Door
from runledger.api.courier.errors import AttemptOver, DoorError, LeaseLost, NotReachable, RefusedFact
from runledger.api.courier.notices import Notices
from runledger.tracker.journal import Progress

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 2.0
"""After a heartbeat that did not get through; sooner than that only where the lease is shorter."""


class Heartbeat:
    """A thread for the time of one attempt, with a door of its own: an upload holds up no heartbeat."""

    def __init__(
        self, door: Door, claim: Claim, progress: Callable[[], Progress], notices: Notices | None
    ) -> None:
        """`notices` is None for a training that has died: nobody asks it any more."""
        self._door = door
        self._claim = claim
        self._notices = notices
        self._progress = progress
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._door.close()

    def _beat(self) -> None:
        if self._beat_while_held() or self._notices is None:
            return
        self._notices.is_over()

    def _beat_while_held(self) -> bool:
        """False where the attempt is over for the tracker, and not because it was told so."""
        while self._claim.is_held:
            interval = self._claim.answer.lease_seconds / 3
            try:
                self._renew()
            except AttemptOver as over:
                logger.warning("no more heartbeats: %s", over)
                return False
            except RefusedFact as refusal:
                logger.error("a heartbeat was refused: %s", refusal)
            except DoorError as error:
                interval = min(interval, _patience(error))
                logger.warning("a heartbeat did not get through: %s", error)
                if self._notices is not None:
                    self._notices.is_offline(str(error))
            if self._stop.wait(interval):
                return True
        return False

    def _renew(self) -> None:
        holding, now = self._claim.holding, self._progress()
        try:
            answer = self._door.heartbeat(holding, now.phase, now.done, now.total)
        except LeaseLost as lost:
            logger.warning("%s", lost)
            self._claim.take_again(self._door, holding)
        else:
            if self._notices is not None:
                self._notices.heard(answer.stop)


def _patience(error: DoorError) -> float:
    asked = error.retry_after_seconds if isinstance(error, NotReachable) else None
    return max(AGAIN_SECONDS, asked or 0.0)
