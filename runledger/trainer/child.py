"""The attempt's process, seen from its supervisor: start it, ask it to stop, end it with all it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from runledger.trainer.attempt.control import STOP
from runledger.trainer.attempt.job import Folder

OWN_VARIABLES = "RUNLEDGER_"
"""A recipe knows nothing of databases and brokers: their addresses are not handed down."""
HANDED_DOWN = ("RUNLEDGER_CODE_DIFF",)
"""What whoever records an attempt's environment has to know."""


class Child:
    """Lives in a session of its own; ends by itself when the socket to it closes."""

    def __init__(
        self,
        words: Sequence[str],
        environ: Mapping[str, str],
        output: IO[bytes],
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        """Runs `python -P -m WORDS`; what it prints goes to `output`."""
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", *words],
                stdin=theirs.fileno(),
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                start_new_session=True,
                pass_fds=pass_fds,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def say(self, line: str, files: Sequence[int] = ()) -> bool:
        """Send it a line, and open files with it. False where it has ended meanwhile."""
        try:
            socket.send_fds(self._socket, [f"{line}\n".encode()], list(files))
        except OSError:
            return False
        return True

    def heard(self) -> bytes:
        """What it has said since; never waits."""
        try:
            return self._socket.recv(4096, socket.MSG_DONTWAIT)
        except OSError:
            return b""

    def ask_to_stop(self) -> None:
        """At the next step boundary, with a checkpoint."""
        self.say(STOP)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """The exit status (negative: the signal) once it has ended; what it started has ended then too."""
        if self._process.returncode is None and self._has_ended():
            self._signal(signal.SIGKILL)  # while its number is still its own
            self._reap()
        return self._process.returncode

    def end(self) -> None:
        """Kill it and wait until it is gone."""
        self.kill()
        self._reap()

    def _has_ended(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is not None:
            return
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def _reap(self) -> None:
        self._process.wait()
        self._socket.close()


def start(folder: Folder, environ: Mapping[str, str], lock: int) -> Child:
    """A fresh process for the attempt of this folder, which holds the folder's lock with us."""
    with folder.output.open("ab") as output:
        return Child(["runledger.trainer.attempt", str(folder.path)], environ, output, pass_fds=(lock,))


CACHED_FROM_SECONDS = "0.2"
"""What takes longer to compile is kept; jax would keep nothing that took less than a second."""
PLATFORMS = {"cpu": "cpu", "gpu": "cuda,cpu", "tpu": "tpu,cpu"}
"""What jax has to find, by what the run has asked for: it would fall back to the CPU without a word."""


def environment(
    environ: Mapping[str, str], *, cache: Path, xla_flags: str = "", device: str = "any"
) -> dict[str, str]:
    """What a child finds in its environment: the worker's own, without what is not a recipe's business."""
    handed = {
        name: value
        for name, value in environ.items()
        if name in HANDED_DOWN or not name.startswith(OWN_VARIABLES)
    }
    handed["PYTHONUNBUFFERED"] = "1"
    handed.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    handed.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", CACHED_FROM_SECONDS)
    if device in PLATFORMS:
        handed["JAX_PLATFORMS"] = PLATFORMS[device]
    flags = f"{handed.get('XLA_FLAGS', '')} {xla_flags}".strip()
    return {**handed, "XLA_FLAGS": flags} if flags else handed
