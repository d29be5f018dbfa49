"""Programs that a thread starts while another thread may fork.

A forked child inherits the pipe by which `subprocess` learns whether its program has begun, and keeps it
open for as long as it lives: whoever starts the program would wait for that long. So no fork of this
process happens in the middle of a start.
"""

from __future__ import annotations

import os
import subprocess
import threading
from typing import Any

FORK_SECONDS = 5.0
"""How long a fork waits at most; a start takes milliseconds."""


class _Starts:
    """One for the whole process; it watches for forks from the first start on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_watching = False
        self._is_forking = False

    def start(self, words: list[str], **options: Any) -> subprocess.Popen[bytes]:
        if not self._is_watching:
            self._is_watching = True
            os.register_at_fork(before=self._wait, after_in_parent=self._go_on, after_in_child=self._go_on)
        with self._lock:
            return subprocess.Popen(words, **options)

    def _wait(self) -> None:
        if self._lock.acquire(timeout=FORK_SECONDS):
            self._is_forking = True

    def _go_on(self) -> None:
        if self._is_forking:
            self._is_forking = False
            self._lock.release()


_STARTS = _Starts()


def start_program(words: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """`subprocess.Popen`, to be called from any thread. Raises `OSError` where it cannot be started."""
    return _STARTS.start(words, **options)
