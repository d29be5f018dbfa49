"""Child processes that are kept alive: started in order, restarted when they die, stopped in order.

Each lives in a session of its own behind a guard (`guard.py`) that ends it when we are gone, and writes
to a log file of its own. A process that dies again and again before it is ready stops the start.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from runledger.api.cli import guard
from runledger.api.cli.exits import SetupProblem

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.1
LOG_BYTES = 20_000_000
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0
HEALTHY_SECONDS = 60.0
"""A process that has lived this long starts again without delay."""
SETTLED_SECONDS = 3.0
"""A process that does not say when it is ready is, if it still lives then."""
STARTS_BEFORE_READY = 3
STOP_SECONDS = 10.0


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What is to run, and how to tell that it serves."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = {}
    is_ready: Callable[[], bool] | None = None
    """None: it is once it has lived for a moment."""
    stop_seconds: float = STOP_SECONDS
    """Between SIGTERM and SIGKILL."""


class Process:
    """One program and its present incarnation."""

    def __init__(self, program: Program, logs: Path) -> None:
        self.program = program
        self.log = logs / f"{program.name}.log"
        self.starts = 0
        self.is_ready = False
        self._popen: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._backoff_seconds = 0.0
        self._start_at = 0.0

    @property
    def is_alive(self) -> bool:
        return self._popen is not None

    def start(self) -> None:
        _rotate(self.log)
        command = [sys.executable, "-I", "-S", guard.__file__, str(self.program.stop_seconds)]
        with self.log.open("ab") as output:
            self._popen = subprocess.Popen(
                [*command, *self.program.command],
                env=dict(self.program.env),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.starts += 1
        self._started_at = time.monotonic()

    def keep_alive(self) -> None:
        """Reap it if it has ended, and start it when its back-off is over."""
        if self._popen is not None and (status := self._ended()) is not None:
            self._plan_restart(status)
        elif self._popen is None and time.monotonic() >= self._start_at:
            self.start()
        elif not self.is_ready and self._popen is not None:
            self.is_ready = self._looks_ready()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to what is still there after `stop_seconds`."""
        self.ask_to_stop()
        self.wait()

    def ask_to_stop(self) -> None:
        if self._popen is not None:
            _signal_group(self._popen.pid, signal.SIGTERM)

    def wait(self) -> None:
        deadline = time.monotonic() + self.program.stop_seconds
        while self._popen is not None and self._ended() is None:
            if time.monotonic() > deadline:
                logger.warning("%s did not stop in %s s", self.program.name, self.program.stop_seconds)
                _signal_group(self._popen.pid, signal.SIGKILL)
                deadline = float("inf")
            time.sleep(TICK_SECONDS / 5)

    def kill(self) -> None:
        """End it at once, with all that it started."""
        if self._popen is not None:
            _signal_group(self._popen.pid, signal.SIGKILL)
            self._reap()

    def last_lines(self, count: int = 15) -> str:
        with self.log.open(errors="replace") as lines:
            return "".join(deque(lines, maxlen=count)).rstrip()

    def _looks_ready(self) -> bool:
        if self.program.is_ready is not None:
            return self.program.is_ready()
        return time.monotonic() - self._started_at >= SETTLED_SECONDS

    def _ended(self) -> int | None:
        """The exit status once it has ended; whatever is left of its group is killed before it is reaped."""
        assert self._popen is not None
        if os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        _signal_group(self._popen.pid, signal.SIGKILL)
        return self._reap()

    def _reap(self) -> int:
        assert self._popen is not None
        status = self._popen.wait()
        if self._popen.stdin is not None:
            self._popen.stdin.close()
        self._popen = None
        return status

    def _plan_restart(self, status: int) -> None:
        self.is_ready = False
        now = time.monotonic()
        has_lived = now - self._started_at >= HEALTHY_SECONDS
        doubled = min(max(self._backoff_seconds * 2, FIRST_BACKOFF_SECONDS), LONGEST_BACKOFF_SECONDS)
        self._backoff_seconds = 0.0 if has_lived else doubled
        self._start_at = now + self._backoff_seconds
        logger.warning("%s ended with status %s; see %s", self.program.name, status, self.log)


class Supervisor:
    """The processes, in the order in which they start; they stop in the opposite one."""

    def __init__(self, programs: Iterable[Program], logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.processes = [Process(program, logs) for program in programs]

    def start(self, stop: threading.Event, ready_seconds: float, on_ready: Callable[[str], None]) -> None:
        """Start all and return once all are ready or `stop` is set; SetupProblem if one cannot be."""
        for process in self.processes:
            process.start()
        deadline = time.monotonic() + ready_seconds
        told: set[str] = set()
        while (waiting := self._waiting()) and not stop.wait(TICK_SECONDS):
            self._tick()
            for name in [process.program.name for process in self.processes if process.is_ready]:
                if name not in told:
                    told.add(name)
                    on_ready(name)
            _refuse_hopeless(waiting, is_late=time.monotonic() > deadline, seconds=ready_seconds)

    def run(self, stop: threading.Event) -> None:
        """Keep them alive until `stop` is set."""
        while not stop.wait(TICK_SECONDS):
            self._tick()

    def stop(self) -> None:
        """One after the other, the last started first."""
        for process in reversed(self.processes):
            process.stop()

    def kill(self) -> None:
        for process in self.processes:
            process.kill()

    def _waiting(self) -> list[Process]:
        """Also one that was ready and has died since."""
        return [process for process in self.processes if not process.is_ready]

    def _tick(self) -> None:
        for process in self.processes:
            process.keep_alive()


def _refuse_hopeless(waiting: Sequence[Process], *, is_late: bool, seconds: float) -> None:
    for process in waiting:
        ends_again = process.starts >= STARTS_BEFORE_READY and not process.is_alive
        if ends_again or is_late:
            problem = "ends again and again" if ends_again else f"is not ready after {seconds:.0f} s"
            raise SetupProblem(
                f"{process.program.name} {problem}; {process.log} says:\n{process.last_lines()}"
            )


def _rotate(log: Path) -> None:
    """Keep one older log, so that a long life does not fill the disk."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        logger.debug("process group %s has ended already", pid)
