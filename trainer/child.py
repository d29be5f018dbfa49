"""The attempt's process, seen from its supervisor: start it, ask it to stop, end it with all it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from trainer.attempt.control import STOP
from trainer.attempt.job import Folder

OWN_VARIABLES = "RUNLEDGER_"
"""A recipe knows nothing of databases and brokers: their addresses are not handed down."""


class Child:
    """Lives in a session of its own; ends by itself when the pipe to it closes."""

    def __init__(self, folder: Folder, environ: Mapping[str, str], lock: int) -> None:
        with folder.output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "trainer.attempt", str(folder.path)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                start_new_session=True,
                pass_fds=(lock,),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def _pipe(self) -> IO[bytes]:
        if self._process.stdin is None:
            raise RuntimeError("the process was started without a pipe")
        return self._process.stdin

    def ask_to_stop(self) -> None:
        """At the next step boundary, with a checkpoint."""
        try:
            self._pipe.write(f"{STOP}\n".encode())
            self._pipe.flush()
        except (BrokenPipeError, ValueError):
            return  # it has ended meanwhile

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """The exit status (negative: the signal) once it has ended; what it started has ended then too."""
        if self._process.returncode is None and self._has_ended():
            self._signal(signal.SIGKILL)  # while its number is still its own
            self._process.wait()
            self._close_pipe()
        return self._process.returncode

    def _has_ended(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is not None:
            return
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def _close_pipe(self) -> None:
        try:
            self._pipe.close()
        except BrokenPipeError:
            return


PLATFORMS = {"cpu": "cpu", "gpu": "cuda,cpu", "tpu": "tpu,cpu"}
"""What jax has to find, by what the run has asked for: it would fall back to the CPU without a word."""


def environment(
    environ: Mapping[str, str], *, cache: Path, xla_flags: str = "", device: str = "any"
) -> dict[str, str]:
    """What a child finds in its environment: the worker's own, without what is not a recipe's business."""
    handed = {name: value for name, value in environ.items() if not name.startswith(OWN_VARIABLES)}
    handed["PYTHONUNBUFFERED"] = "1"
    handed.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    if device in PLATFORMS:
        handed["JAX_PLATFORMS"] = PLATFORMS[device]
    flags = f"{handed.get('XLA_FLAGS', '')} {xla_flags}".strip()
    return {**handed, "XLA_FLAGS": flags} if flags else handed
