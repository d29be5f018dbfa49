"""No session hangs: what takes too long shows the stacks of all threads, and its process ends.

pytest-timeout raises in the main thread, once in a test. That ends no call into C that does not come back,
nothing that hangs while the failure is dealt with, and nothing outside of tests: the session's end, the
threads that an interpreter waits for at its exit. The watchdog here is a thread of C's (`faulthandler`),
which needs neither Python's lock nor the main thread, and it is set at all times. Processes that outlive
the session would hold on to its output, so that who reads it waits for ever: they are ended.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import uuid
from collections.abc import Iterator

import psutil
import pytest

GRACE_SECONDS = 60.0
"""Beyond the time that pytest-timeout leaves a test: it should be the first."""
END_SECONDS = 300.0
"""From the end of the tests to the end of the process: coverage is written, workers are awaited."""
LONGEST_TEST_SECONDS = 600.0
"""What a test may be granted by its own mark: the controller waits for workers without seeing their tests."""
LEFT_SECONDS = 5.0
SESSION = "PYTEST_RUNLEDGER_SESSION"
"""In the environment of everything that a session starts."""


class Deadlines:
    """A plugin, for a process that runs tests as well as for the controller of several."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._allowed_seconds = END_SECONDS
        self._is_worker = hasattr(config, "workerinput")
        self._is_controller = not self._is_worker and bool(config.getoption("dist", "no") != "no")
        self._stderr = os.fdopen(os.dup(sys.__stderr__.fileno() if sys.__stderr__ else 2), "w")
        if not self._is_worker:
            os.environ[SESSION] = uuid.uuid4().hex

    def pytest_sessionstart(self) -> None:
        self._allow(LONGEST_TEST_SECONDS + GRACE_SECONDS)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._allow(self._test_seconds(item) + GRACE_SECONDS)
        return (yield)

    def pytest_runtest_logreport(self) -> None:
        """Told to the controller: some worker goes on."""
        if self._is_controller:
            self._allow(LONGEST_TEST_SECONDS + 3 * GRACE_SECONDS)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self._allow(END_SECONDS)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        if not self._is_worker:
            self._end_what_is_left()

    @pytest.hookimpl(trylast=True)
    def pytest_exception_interact(self) -> None:
        """Where pytest puts off any watchdog, as if there were nothing left to wait for."""
        self._allow(self._allowed_seconds)

    def pytest_enter_pdb(self) -> None:
        faulthandler.cancel_dump_traceback_later()

    def _allow(self, seconds: float) -> None:
        """From now on; what was allowed before is void."""
        self._allowed_seconds = seconds
        faulthandler.dump_traceback_later(seconds, exit=True, file=self._stderr)

    def _test_seconds(self, item: pytest.Item) -> float:
        mark = item.get_closest_marker("timeout")
        given = mark.args[0] if mark and mark.args else self._config.getoption("timeout", None)
        return float(self._config.getini("timeout") if given is None else given) or LONGEST_TEST_SECONDS

    def _end_what_is_left(self) -> None:
        own = os.environ[SESSION]
        _, left = psutil.wait_procs(_processes_of(own), timeout=LEFT_SECONDS)
        for process in left:
            self._stderr.write(f"left behind, and ended: {process.pid} {_command(process)}\n")
            process.kill()
        self._stderr.flush()


def _processes_of(session: str) -> list[psutil.Process]:
    """All but this one."""
    found = psutil.process_iter(["environ"])
    ours = [each for each in found if (each.info["environ"] or {}).get(SESSION) == session]
    return [each for each in ours if each.pid != os.getpid()]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return "?"
