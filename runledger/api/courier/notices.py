"""What the courier tells the training, through a file: whether it shall stop, and how the tracker is."""

from __future__ import annotations

import logging
import threading
from typing import Literal

import msgspec

from runledger.api.tracking.folders import AttemptFolder, ControlFile, write_file

logger = logging.getLogger(__name__)


class Notices:
    """Written when something changes. For any number of threads."""

    def __init__(self, folder: AttemptFolder) -> None:
        self._path = folder.control
        self._lock = threading.Lock()
        self._now = folder.read_control()

    def heard(self, stop: Literal["cancel", "pause"] | None) -> None:
        """The tracker has answered a heartbeat."""
        self._write(stop=stop, state="online", problem="")

    def is_online(self) -> None:
        if self._now.state != "online":
            self._write(state="online", problem="")

    def is_offline(self, problem: str) -> None:
        if (self._now.state, self._now.problem) != ("offline", problem):
            self._write(state="offline", problem=problem)

    def is_refused(self, problem: str, *, must_stop: bool) -> None:
        """The tracker does not take the run; `must_stop` where nothing of it will ever count."""
        stop = "cancel" if must_stop else self._now.stop
        self._write(stop=stop, state="offline", problem=f"the tracker does not take the run: {problem}")

    def is_kept_apart(self, notice: str) -> None:
        """The attempt is told as one of another run."""
        self._write(notice=notice)

    def is_over(self) -> None:
        """The attempt has ended for the tracker: cancelled while it was silent, say, or overtaken. Whether
        its run may go on later shows when that is tried."""
        self._write(stop=self._now.stop or "pause")

    def is_done(self) -> None:
        self._write(state="done", problem="")

    def _write(self, **changes: object) -> None:
        """A disk that refuses is no reason to stop shipping."""
        with self._lock:
            after: ControlFile = msgspec.structs.replace(self._now, **changes)
            if after == self._now:
                return
            self._now = after
            try:
                write_file(self._path, after)
            except OSError as problem:
                logger.error("%s: %s", self._path, problem)
