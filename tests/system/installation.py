"""A whole Runledger of real processes for a test, and what is asked of it from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import psutil

from runledger.api.cli import memory
from runledger.api.cli.preflight import free_port
from runledger.api.client import Client

ROOT = Path(__file__).parents[2]
TOY = "tests.trainer.toy_recipe:toy"
QUICK = {
    "RUNLEDGER_LEASE_SECONDS": "3",
    "RUNLEDGER_POLL_SECONDS": "0.1",
    "RUNLEDGER_RESEND_SECONDS": "3",
}
"""Losses and outages are noticed sooner than with the settings as they ship."""
T = TypeVar("T")


def until(ask: Callable[[], T | None], seconds: float = 60, what: str = "it", every: float = 0.1) -> T:
    """The first answer that is something; an assertion error after a bounded time."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(every)
    return answer


class Installation:
    """`runledger up` with its environment; ended, with all that it started, by `close`."""

    def __init__(
        self,
        data: Path,
        environment: Mapping[str, str],
        options: tuple[str, ...] = (),
        *,
        settings: Mapping[str, str] = QUICK,
    ) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **clean_environment(),
            "RUNLEDGER_DATA": str(data),
            "RUNLEDGER_PORT": str(self.port),
            "RUNLEDGER_URL": self.url,
            "RUNLEDGER_RECIPES": TOY,
            **settings,
            **environment,
        }
        self.client = Client(self.url, retry_seconds=30)
        self._output = data.with_name(f"{data.name}-up.log")
        self._up = self._start(options)

    def _start(self, options: tuple[str, ...]) -> subprocess.Popen[bytes]:
        with self._output.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "runledger.api.cli", "up", *options],
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait_until_up(self) -> Installation:
        until(self._is_up, 120, "runledger up")
        return self

    def _is_up(self) -> bool:
        said = self._output.read_text()
        assert self._up.poll() is None, said
        return "Runledger is up" in said

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A `runledger` command in this installation's environment."""
        return runledger(*words, environment=self.environment)

    def process(self, name: str) -> psutil.Process:
        """The process of this name below `up`: `api`, `projections`, `trainer`, `attempt`, `spare` …"""
        return until(lambda: self._find(name), 30, name)

    def kill(self, name: str) -> None:
        self.process(name).kill()

    @property
    def pid(self) -> int:
        """Of `up` itself."""
        return self._up.pid

    def close(self) -> None:
        """As Ctrl-C; everything has to be gone afterwards."""
        self.client.close()
        if self._up.poll() is None:
            family = psutil.Process(self._up.pid).children(recursive=True)
            self._up.send_signal(signal.SIGINT)
            self._up.wait(timeout=120)
            _, alive = psutil.wait_procs(family, timeout=10)
            assert not alive, f"left behind: {alive}"

    def _find(self, name: str) -> psutil.Process | None:
        found = (each.pid for each in memory.held(self.pid) if each.name == name)
        return next(map(psutil.Process, found), None)


def runledger(
    *words: str, environment: Mapping[str, str], seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "runledger.api.cli", *words],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def clean_environment() -> dict[str, str]:
    """Ours without settings of Runledger, and with the tests' recipes importable."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RUNLEDGER_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
