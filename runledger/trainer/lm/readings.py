"""The metrics of each step, read late: copied to the host while the next steps already run.

At most `IN_FLIGHT` steps are unread, so that nothing a step computes is waited for and a killed
process has lost no more than those. A number that is not finite ends the training here.
"""

from __future__ import annotations

import math
import time
from collections import deque

import jax
import numpy as np

from runledger.trainer.lm.errors import Diverged
from runledger.trainer.lm.step import METRICS
from runledger.trainer.recipe import Context

IN_FLIGHT = 2


class Readings:
    """`latest` holds the newest value of each metric that a repeat of the run would give again."""

    def __init__(self, context: Context, latest: dict[str, float]) -> None:
        self.latest = latest
        self._context = context
        self._unread: deque[tuple[int, jax.Array]] = deque()
        self._read_at = time.perf_counter()

    def add(self, step: int, vector: jax.Array) -> None:
        vector.copy_to_host_async()
        self._unread.append((step, vector))
        while len(self._unread) > IN_FLIGHT:
            self._read()

    def drain(self) -> None:
        """Read and log all. Raises `Diverged`."""
        while self._unread:
            self._read()

    def restart_clock(self) -> None:
        """Leave out of the throughput what has passed since the last reading."""
        self._read_at = time.perf_counter()

    def _read(self) -> None:
        step, vector = self._unread.popleft()
        values = dict(zip(METRICS, np.asarray(vector).tolist(), strict=True))
        tokens = values.pop("tokens")
        found = {f"train/{name}": value for name, value in values.items()}
        self.latest.update(found)
        self._context.log({**found, "train/tokens_per_second": tokens / self._elapsed()}, step=step)
        if not (math.isfinite(values["loss"]) and math.isfinite(values["grad_norm"])):
            raise Diverged(step, values["loss"], values["grad_norm"])

    def _elapsed(self) -> float:
        before, self._read_at = self._read_at, time.perf_counter()
        return self._read_at - before
