"""The spare: a process that has imported what the next attempt needs, and waits for it.

There is at most one. It fits an attempt of the same recipe, in the same code and with the same
environment; any other attempt gets a fresh process. One is made once an attempt has made its first step,
and again when it has ended, and is let go when nothing has needed it for a while.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Mapping

import msgspec

from runledger.trainer import child
from runledger.trainer.attempt.job import Folder
from runledger.trainer.child import Child

logger = logging.getLogger(__name__)

READY = b"ready"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What a process must have been started with to serve an attempt."""

    reference: str
    recipe_digest: str
    environ: Mapping[str, str]


class Spare:
    """A process that imports, or has imported, and has no attempt yet."""

    def __init__(self, kind: Kind, at: float) -> None:
        self.kind = kind
        self.made_at = at
        self._heard = b""
        with tempfile.TemporaryFile() as output:
            self._child = Child(["runledger.trainer.attempt.spare", kind.reference], kind.environ, output)

    @property
    def pid(self) -> int:
        return self._child.pid

    def is_ready(self) -> bool:
        """All is imported."""
        self._heard += self._child.heard()
        return self._heard.endswith(b"\n")

    def is_usable(self) -> bool:
        """It lives, and has not loaded other code than was announced; while it imports, that is not known."""
        if self._child.poll() is not None:
            return False
        return not self.is_ready() or self._heard.split() == [READY, self.kind.recipe_digest.encode()]

    def become(self, folder: Folder, lock: int) -> Child | None:
        """The attempt of this folder; None where it has died."""
        with folder.output.open("ab") as output:
            has_heard = self._child.say(str(folder.path), [lock, output.fileno()])
        if not has_heard:
            self.end()
            return None
        return self._child

    def end(self) -> None:
        self._child.end()


class Spares:
    """Safe to share between threads."""

    def __init__(self, keep_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """0 seconds: there is never one."""
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._spare: Spare | None = None
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        """Of the spare, if there is one."""
        spare = self._spare
        return spare.pid if spare else None

    @property
    def is_ready(self) -> bool:
        """There is one that has imported all."""
        with self._lock:
            return self._spare is not None and self._spare.is_usable() and self._spare.is_ready()

    @property
    def is_usable(self) -> bool:
        """There is one, as far as is known."""
        with self._lock:
            return self._spare is not None and self._spare.is_usable()

    def start(self, kind: Kind, folder: Folder, lock: int) -> Child:
        """The process of an attempt: the spare where it fits, else a fresh one."""
        spare = self._take(kind)
        began = spare.become(folder, lock) if spare else None
        if began is not None:
            logger.info("process %d, which was spare, begins", began.pid)
            return began
        return child.start(folder, kind.environ, lock)

    def make(self, kind: Kind) -> None:
        """Have one of this kind; nothing where there is one, or shall be none."""
        with self._lock:
            if self._is_closed or not self._keep_seconds:
                return
            if self._spare is not None and self._spare.kind == kind and self._spare.is_usable():
                self._spare.made_at = self._clock()
                return
            self._let_go("another is needed")
            self._spare = Spare(kind, self._clock())
            logger.info("process %d is spare for %s", self._spare.pid, kind.reference)

    def look(self) -> None:
        """Let go of one that has died, is of no use, or was not needed for long."""
        with self._lock:
            if self._spare is None:
                return
            if not self._spare.is_usable():
                self._let_go("of no use")
            elif self._clock() - self._spare.made_at > self._keep_seconds:
                self._let_go("not needed for long")

    def close(self) -> None:
        """Let go of it; none is made any more."""
        with self._lock:
            self._is_closed = True
            self._let_go("the worker ends")

    def _take(self, kind: Kind) -> Spare | None:
        with self._lock:
            spare = self._spare
            if spare is None or spare.kind != kind:
                return None
            self._spare = None
            if spare.is_usable():
                return spare
            spare.end()
            return None

    def _let_go(self, why: str) -> None:
        if self._spare is not None:
            logger.info("process %d is let go: %s", self._spare.pid, why)
            self._spare.end()
            self._spare = None
