"""Starts one command and ends it, with all that it started, when whoever holds our stdin is gone.

Run as a script by the supervisor, in a session of its own, with a pipe as stdin: the pipe closes when
the supervisor ends, however it ends, so nothing is left behind. Standard library only, so it is small.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType


def main(arguments: list[str]) -> int:
    """`GRACE_SECONDS COMMAND…`; the exit status is the command's, 128 + n if signal n ended it."""
    grace_seconds, command = float(arguments[0]), arguments[1:]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _leave_it_to_the_command)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_watch_stdin, args=(grace_seconds,), daemon=True).start()
    status = child.wait()
    return status if status >= 0 else 128 - status


def _leave_it_to_the_command(number: int, frame: FrameType | None) -> None:
    """The whole process group gets the signal. A handler, not SIG_IGN: that the command would inherit."""


def _watch_stdin(grace_seconds: float) -> None:
    while os.read(0, 1024):
        pass
    os.killpg(os.getpgrp(), signal.SIGTERM)
    time.sleep(grace_seconds)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
