"""What a run prints: raw bytes at the end of a file, and the streams whose text goes there too."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO


class Output:
    """The attempt's output file, open at its end."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def write(self, text: str | bytes) -> None:
        view = memoryview(text.encode(errors="replace") if isinstance(text, str) else text)
        while view:
            view = view[os.write(self._file, view) :]

    def close(self) -> None:
        os.close(self._file)


class Copied:
    """A text stream that also gives what is written to it to `copy`; for all else it is the stream."""

    def __init__(self, stream: TextIO, copy: Callable[[str], None]) -> None:
        self.stream = stream
        self._copy = copy

    def write(self, text: str) -> int:
        written = self.stream.write(text)
        self._copy(text)
        return written

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class Capture:
    """Copies what Python code prints to stdout and stderr, from `start` to `stop`."""

    def __init__(self, copy: Callable[[str], None]) -> None:
        self._copy = copy
        self._replaced: dict[str, Copied] = {}

    def start(self) -> None:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is not None:
                self._replaced[name] = Copied(stream, self._copy)
                setattr(sys, name, self._replaced[name])

    def stop(self) -> None:
        """Puts back what was there, unless somebody else has replaced it since."""
        for name, copied in self._replaced.items():
            if getattr(sys, name) is copied:
                setattr(sys, name, copied.stream)
        self._replaced.clear()


def say(line: str) -> None:
    """For people; a stream that is closed, or missing, has none that read it."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"runledger: {line}\n")
