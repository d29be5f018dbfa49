"""What a rehearsal shows while it goes on: a bar that moves on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import IO, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

LINE_SECONDS = 5.0
"""Without a terminal: a line of progress no more often than this."""
DRAW_SECONDS = 0.1
"""On a terminal: the bar is moved no more often than this."""
SHOWN_METRICS = 4


class View(Protocol):
    """Told of everything as it happens; decides itself how often to show it."""

    def say(self, line: str) -> None: ...

    def progress(self, phase: str, done: int | None, total: int | None) -> None: ...

    def metrics(self, latest: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


def view_on(stream: IO[str]) -> View:
    console = Console(file=stream, highlight=False, soft_wrap=True)
    return LiveView(console) if console.is_terminal else LineView(console)


class LineView:
    """Lines, for logs: what happens, and now and then how far it is."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._latest = ""
        self._said_at = 0.0

    def say(self, line: str) -> None:
        self._console.print(line, markup=False)

    def progress(self, phase: str, done: int | None, total: int | None) -> None:
        now = time.monotonic()
        if phase != self._phase or now - self._said_at >= LINE_SECONDS:
            self.say(f"{how_far(phase, done, total):<24}  {self._latest}".rstrip())
            self._phase, self._said_at = phase, now

    def metrics(self, latest: Mapping[str, float]) -> None:
        self._latest = in_words(latest)

    def close(self) -> None:
        """Nothing is held."""


class LiveView:
    """A bar below the lines; what the recipe prints appears above it."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, TextColumn("{task.fields[latest]}"), console=console)
        self._task = self._bar.add_task("starting", total=None, latest="")
        self._latest: Mapping[str, float] = {}
        self._phase = ""
        self._drawn_at = 0.0
        self._bar.start()

    def say(self, line: str) -> None:
        self._bar.console.print(line, markup=False)

    def progress(self, phase: str, done: int | None, total: int | None) -> None:
        now = time.monotonic()
        if (
            phase != self._phase
            or now - self._drawn_at >= DRAW_SECONDS
            or (done is not None and done == total)
        ):
            self._bar.update(
                self._task,
                description=how_far(phase, done, total),
                completed=done or 0,
                total=total,
                latest=in_words(self._latest),
            )
            self._phase, self._drawn_at = phase, now

    def metrics(self, latest: Mapping[str, float]) -> None:
        self._latest = latest

    def close(self) -> None:
        self._bar.stop()


def how_far(phase: str, done: int | None, total: int | None) -> str:
    counted = "" if done is None else f" {done}" if total is None else f" {done}/{total}"
    return f"{phase}{counted}"


def in_words(latest: Mapping[str, float]) -> str:
    """The first few metrics, each with four digits that count."""
    shown = list(latest.items())[:SHOWN_METRICS]
    return "  ".join(f"{key} {value:.4g}" for key, value in shown)
