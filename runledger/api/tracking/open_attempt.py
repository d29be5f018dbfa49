"""One attempt's files, open for writing. What cannot be written raises `OSError` or `JournalBroken`.

What is no file, or a link out of a folder that is kept, raises `Misused`.
"""

from __future__ import annotations

import contextlib
import mimetypes
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import SupportsFloat, SupportsIndex

from runledger.api.tracking.errors import Misused
from runledger.api.tracking.folders import AttemptFolder, Lock, RunFile
from runledger.api.tracking.output import Output
from runledger.api.tracking.surroundings import Surroundings
from runledger.tracker.errors import BadInput
from runledger.tracker.journal import Artifact, Checkpoint, Ended, Params
from runledger.tracker.journal_writer import Journal
from runledger.tracker.spec import Scalar
from runledger.tracker.staging import Staging


class OpenAttempt:
    """From the attempt's first record to its last. Holds the run's lock."""

    def __init__(self, run: RunFile, folder: AttemptFolder, lock: Lock) -> None:
        self.folder = folder
        self.lock = lock
        self._journal = Journal(folder.journal, run.run_id, folder.number)
        self._staging = Staging(folder.staged)
        self._output = Output(folder.output)
        seed = run.params.get("seed")
        self._surroundings = Surroundings(
            self._staging,
            seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
            self._journal.append,
        )

    def points(self, step: SupportsIndex, at: SupportsIndex, values: Mapping[str, SupportsFloat]) -> None:
        """Raises `BadInput` for what does not fit."""
        if not self._surroundings.was_asked:
            self._surroundings.are_due()
        self._journal.points(step, at, values)

    def checkpoint(self, path: Path, step: int, loss: float | None) -> None:
        """Returns once the bytes and the record are on disk. Covers all that was logged before.

        A disk that is full but for the bytes takes the record later, as it does what is logged.
        """
        self._surroundings.are_due()
        mark = self._journal.cut()
        with _misused():
            digest, size_bytes = self._pack(path)
        self._journal.append(
            Checkpoint(step=step, digest=digest, size_bytes=size_bytes, loss=loss, mark=mark, time=_now())
        )
        with contextlib.suppress(OSError):  # the journal has warned of it
            self._journal.sync()

    def artifact(self, path: Path, name: str) -> None:
        self._surroundings.are_due()
        with _misused():
            digest, size_bytes = self._staging.put_file(path)
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        self._journal.append(
            Artifact(path=name, digest=digest, size_bytes=size_bytes, media_type=media_type, time=_now())
        )

    def params(self, params: dict[str, Scalar]) -> None:
        self._journal.append(Params(params=params, time=_now()))

    def write(self, text: str | bytes) -> None:
        self._output.write(text)

    def end(self, ended: Ended) -> None:
        """Nothing can be written afterwards, whether this could be or not. Whoever does not wait for the
        surroundings, and interrupts, does not keep the end from being told."""
        with contextlib.ExitStack() as steps:  # the last is the first
            steps.callback(self.lock.release)
            steps.callback(shutil.rmtree, self.folder.checkpoint, ignore_errors=True)
            steps.callback(self._output.close)
            steps.callback(self._tell_end, ended)
            self._surroundings.finish()

    def _tell_end(self, ended: Ended) -> None:
        self._journal.cut()
        self._journal.append(ended)
        self._journal.close()

    def _pack(self, path: Path) -> tuple[str, int]:
        """A single file becomes a folder with nothing else in it."""
        return self._staging.put_folder(path) if path.is_dir() else self._staging.put_alone(path)


@contextlib.contextmanager
def _misused() -> Iterator[None]:
    """What no disk could keep is not the disk's fault."""
    try:
        yield
    except BadInput as problem:
        raise Misused(str(problem)) from None


def _now() -> int:
    return time.time_ns() // 1000
