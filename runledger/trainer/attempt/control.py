"""The pipe from the supervisor: `stop` asks for a stop, its end says that nobody supervises any more."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterable
from typing import IO, NoReturn

logger = logging.getLogger(__name__)

STOP = "stop"


class Control:
    """Set by the supervisor, asked by the recipe at each step boundary."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self.was_told = False
        """The recipe has asked and was told to stop: it returns because of that."""

    def should_stop(self) -> bool:
        self.was_told = self.was_told or self._stop.is_set()
        return self.was_told

    def listen(self, pipe: IO[str]) -> None:
        """Follow the pipe in a thread; when it ends, this process and its group end at once."""
        threading.Thread(target=self.follow, args=(pipe,), name="control", daemon=True).start()

    def follow(self, lines: Iterable[str]) -> NoReturn:
        """The same, in the caller's thread."""
        try:
            for line in lines:
                if line.strip() == STOP:
                    self._stop.set()
        finally:  # also where reading fails: a socket may end with an error
            logger.error("the supervisor is gone")
            end_group()


def end_group() -> NoReturn:
    """No orphan holds an accelerator: kill this process and all that it started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
