"""Which code a script was: the commit of its repository, and how its work tree differs from that.

The difference is for people who ask what was run. It holds no more than `MAX_DIFF_BYTES`, no secret that
`tracker.redaction` finds, and of files that git does not track the names alone, of those that are code:
what a training writes beside its script is no change of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from runledger.tracker.programs import start_program
from runledger.tracker.redaction import MAX_LINE_BYTES, Redactor

MAX_DIFF_BYTES = 1 << 20
MAX_UNTRACKED = 1_000
CODE_SUFFIXES = (".py", ".pyx", ".ipynb", ".sh", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".rs")
MAX_ANSWER_BYTES = 16 << 20
CHUNK_BYTES = 1 << 16
LOOK_SECONDS = 0.05
GIT_SECONDS = 10.0
"""For each question: a repository on a slow disk has no say in how long a training takes to begin."""
REFRAIN = ("-c", "diff.relative=false", "-c", "core.fsmonitor=false", "-c", "core.quotePath=true")
"""Of what a user's configuration makes git do, no program of somebody's is started here."""


def commit_of(source: Path) -> str | None:
    """The commit of the repository that tracks `source`."""
    if _ask(source, "ls-files", "--error-unmatch", source.name) is None:
        return None
    revision = _ask(source, "rev-parse", "HEAD")
    return revision.decode().strip() if revision else None


def difference(source: Path, environ: Mapping[str, str]) -> bytes:
    """Of the work tree to its commit, as `git diff` tells it; empty where there is none.

    `environ` is where this process may have secrets.
    """
    kept = _Kept()
    words = ("diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color")
    try:
        with _Git(source, *words) as git:
            for line in Redactor(environ).lines(_lines(git.answer())):
                kept.add(line)
    except OSError as problem:
        return _note(str(problem))
    return kept.told(git.problem) + _untracked(source)


class _Kept:
    """The beginning of a text, and how large and of which digest the whole is."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._room = MAX_DIFF_BYTES
        self._size = 0
        self._digest = hashlib.sha256()

    def add(self, line: bytes) -> None:
        self._size += len(line)
        self._digest.update(line)
        if len(line) <= self._room:
            self._parts.append(line)
            self._room -= len(line)
        else:
            self._room = 0

    def told(self, problem: str | None) -> bytes:
        text = b"".join(self._parts)
        left = self._size - len(text)
        if problem is not None:
            return text + _note(f"the rest could not be had, {problem}" if self._size else problem)
        if left:
            text += _note(
                f"{left} of {self._size} bytes left out; SHA-256 of all: {self._digest.hexdigest()}"
            )
        return text


class _Git:
    """A question whose answer is read while it comes; ended, with what it has started, after a while.

    Raises `OSError` where git cannot be started.
    """

    def __init__(self, source: Path, *words: str) -> None:
        self._words = ["git", *REFRAIN, "-C", str(source.parent), *words]
        self._deadline = time.monotonic() + GIT_SECONDS
        self.problem: str | None = None

    def __enter__(self) -> _Git:
        self._process = start_program(
            self._words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            start_new_session=True,
        )
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdout is not None
        self._process.stdout.close()
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.wait() and self.problem is None:
            self.problem = f"git ended with status {self._process.returncode}"

    def answer(self) -> Iterator[bytes]:
        """In pieces, until git has ended: a forked child of this process may hold on to its pipe for ever."""
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        waiting = select.poll()
        waiting.register(pipe, select.POLLIN)
        while time.monotonic() < self._deadline:
            has_ended = self._process.poll() is not None
            if waiting.poll(0 if has_ended else LOOK_SECONDS * 1000):
                if not (piece := os.read(pipe, CHUNK_BYTES)):
                    self._wait()
                    return
                yield piece
            elif has_ended:
                return
        self.problem = f"git took longer than {GIT_SECONDS:.0f} s"

    def _wait(self) -> None:
        """It has said all; its status is yet to come."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(self._deadline - time.monotonic(), 0.1))


def _ask(source: Path, *words: str) -> bytes | None:
    """All of a short answer."""
    try:
        with _Git(source, *words) as git:
            pieces, size = [], 0
            for piece in git.answer():
                pieces.append(piece)
                size += len(piece)
                if size > MAX_ANSWER_BYTES:
                    return None
    except OSError:
        return None
    return b"".join(pieces) if git.problem is None else None


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Each with its end; in the place of one that is too long, how long it is."""
    parts: list[bytes] = []
    size = 0
    for piece in pieces:
        for part in piece.splitlines(keepends=True):
            size += len(part)
            if size <= MAX_LINE_BYTES:
                parts.append(part)
            if part.endswith(b"\n"):
                yield _whole(parts, size)
                parts, size = [], 0
    if size:
        yield _whole(parts, size)


def _whole(parts: list[bytes], size: int) -> bytes:
    return b"".join(parts) if size <= MAX_LINE_BYTES else _note(f"a line of {size} bytes left out")


def _untracked(source: Path) -> bytes:
    answer = _ask(source, "ls-files", "--others", "--exclude-standard", "--full-name", "-z", ":/")
    if answer is None:
        return _note("untracked files could not be listed")
    names = sorted(
        name for name in answer.decode(errors="replace").split("\0") if name.endswith(CODE_SUFFIXES)
    )
    listed = [_note(f"untracked: {name!r}") for name in names[:MAX_UNTRACKED]]
    if len(names) > MAX_UNTRACKED:
        listed.append(_note(f"{len(names) - MAX_UNTRACKED} more untracked files left out"))
    return b"".join(listed)


def _note(text: str) -> bytes:
    return f"# runledger: {text}\n".encode()
