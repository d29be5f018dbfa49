"""What whoever ships tells the training, looked up no more often than twice a second."""

from __future__ import annotations

import contextlib
import logging
import time

from runledger.api.tracking.errors import DamagedFile
from runledger.api.tracking.folders import AttemptFolder, ControlFile, read_file

logger = logging.getLogger("runledger")

LOOK_SECONDS = 0.5


class Control:
    """Asked at each step boundary, so it costs no file access most of the time.

    What people have to know is logged once.
    """

    def __init__(self, folder: AttemptFolder) -> None:
        self._folder = folder
        self._look_at = 0.0
        self._found = ControlFile()
        self._noticed = ""
        self.was_told = False
        """The training has asked and was told to stop: where it ends now, it ends because of that."""

    def should_stop(self) -> bool:
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            self.look()
        self.was_told = self.was_told or self._found.stop is not None
        return self.was_told

    def look(self) -> ControlFile:
        """What is said now; what cannot be read changes nothing."""
        with contextlib.suppress(OSError, DamagedFile):
            self._found = read_file(self._folder.control, ControlFile)
        if self._found.notice and self._found.notice != self._noticed:
            self._noticed = self._found.notice
            logger.warning("%s", self._noticed)
        return self._found
