"""What a run executes on, found out beside the training: to look takes longer than a step.

Told once the training has logged something, or ends: by then it has imported what it uses.

The thread imports nothing: a child that is forked while a thread imports inherits the lock of that module,
and waits for it for ever.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from runledger.tracker import environment
from runledger.tracker.journal import Environment
from runledger.tracker.staging import Staging

logger = logging.getLogger(__name__)

WAIT_SECONDS = 5.0


class Surroundings:
    """A thread that tells one `Environment` through `tell`."""

    def __init__(self, staging: Staging, seed: int | None, tell: Callable[[Environment], None]) -> None:
        self._staging = staging
        self._seed = seed
        self._tell = tell
        self._is_due = threading.Event()
        self.was_asked = False
        """Whether that has been said; what asks at each step spares itself the call."""
        self._thread = threading.Thread(target=self._observe, name="surroundings", daemon=True)
        self._thread.start()

    def are_due(self) -> None:
        """The training uses what it uses."""
        self.was_asked = True
        self._is_due.set()

    def finish(self) -> None:
        """Tell them now; wait for that, but not for ever."""
        self._is_due.set()
        self._thread.join(WAIT_SECONDS)

    def _observe(self) -> None:
        try:
            revision, diff_digest = self._code()
            self._is_due.wait()
            seen = environment.observe(seed=self._seed, dataset_digest=None, fields={})
            self._tell(
                msgspec.structs.replace(
                    seen,
                    code_revision=revision,
                    code_diff_digest=diff_digest,
                    time=time.time_ns() // 1000,
                )
            )
        except Exception as problem:  # noqa: BLE001 — the shell of this thread; machines differ in many ways
            logger.warning("what the run executes on is not recorded: %r", problem)

    def _code(self) -> tuple[str | None, str | None]:
        script = main_script()
        if script is None:
            return None, None
        revision, diff = environment.code_revision(script)
        return revision, self._staging.put_bytes(diff)[0] if diff else None


def main_script() -> Path | None:
    """The file that this process was started with; a notebook has none."""
    main: Any = sys.modules.get("__main__")
    name = getattr(main, "__file__", None)
    if not isinstance(name, (str, os.PathLike)):
        return None
    path = Path(name).absolute()
    return path if path.is_file() else None
