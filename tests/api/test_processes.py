"""The API as processes: two over one database, a taken port, off loopback, a clean end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from runledger.api import tokens
from runledger.tracker.store.engine import open_ledger
from tests.api.conftest import LAUNCH, RECIPE, announce
from tests.conftest import Databases

pytestmark = pytest.mark.system

START_SECONDS = 90.0
STOP_SECONDS = 30.0
Start = Callable[..., "Served"]


class Served:
    """An API process."""

    def __init__(self, environ: dict[str, str], output: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "runledger.api"],
                env={**os.environ, "RUNLEDGER_PORT": str(self.port), **environ},
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.1)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/api/v1/health/ready").status_code == 200
        except httpx.TransportError:
            return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def environ(database_urls: tuple[str, str], tmp_path: Path) -> dict[str, str]:
    ledger = open_ledger(database_urls[0])
    announce(ledger, RECIPE)
    ledger.dispose()
    return {
        "RUNLEDGER_DATA": str(tmp_path),
        "RUNLEDGER_LEDGER_URL": database_urls[0],
        "RUNLEDGER_VIEWS_URL": database_urls[1],
    }


@pytest.fixture
def start(environ: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    started: list[Served] = []

    def start_one(**more: str) -> Served:
        started.append(Served({**environ, **more}, tmp_path / f"api-{len(started)}.log"))
        return started[-1]

    yield start_one
    for served in started:
        if served.process.poll() is None:
            served.process.kill()
        served.process.wait(STOP_SECONDS)


@pytest.fixture
def database_kind() -> str:
    """These tests are about processes: the database is the one that is made for several."""
    return "postgresql"


def test_two_processes_launch_one_run_for_one_key(start: Start, databases: Databases) -> None:
    served = [start(), start()]
    for each in served:
        each.wait_until_ready()
    urls = [each.url for each in served] * 4

    def post(url: str) -> httpx.Response:
        headers = {"Idempotency-Key": "the same"}
        return httpx.post(f"{url}/api/v1/runs", json=LAUNCH, headers=headers, timeout=60)

    with ThreadPoolExecutor(len(urls)) as pool:
        answers = list(pool.map(post, urls))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    run = answers[0].json()["run_id"]
    for url in urls[:2]:
        assert httpx.get(f"{url}/api/v1/runs/{run}").json()["status"] == "queued"


def test_a_viewer_is_let_go_when_the_process_ends(start: Start) -> None:
    served = start()
    served.wait_until_ready()
    run = httpx.post(f"{served.url}/api/v1/runs", json=LAUNCH, timeout=60).json()["run_id"]
    with httpx.stream("GET", f"{served.url}/api/v1/events/stream?after=0&run={run}", timeout=60) as answer:
        lines = answer.iter_lines()
        assert next(line for line in lines if line.startswith("event:")) == "event: RunRequested"
        served.process.send_signal(signal.SIGTERM)
        assert [line for line in lines if line.startswith("event:")] == []
    assert served.process.wait(STOP_SECONDS) == 0


def test_a_taken_port_is_named(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        served = start(RUNLEDGER_PORT=str(port))
        assert served.process.wait(START_SECONDS) == 78
    assert f"RUNLEDGER_PORT: cannot bind 127.0.0.1:{port}" in served.output.read_text()


def test_off_loopback_it_starts_only_once_there_is_a_token(start: Start, environ: dict[str, str]) -> None:
    refused = start(RUNLEDGER_HOST="0.0.0.0")
    assert refused.process.wait(START_SECONDS) == 78
    assert "RUNLEDGER_HOST: 0.0.0.0 is not loopback" in refused.output.read_text()
    ledger = open_ledger(environ["RUNLEDGER_LEDGER_URL"])
    token = tokens.create_token(ledger, "ada")
    ledger.dispose()
    served = start(RUNLEDGER_HOST="0.0.0.0")
    served.wait_until_ready()
    assert httpx.get(f"{served.url}/api/v1/runs").status_code == 401
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{served.url}/api/v1/runs", headers=headers).status_code == 200
    assert served.stop() == 0


def test_an_unreachable_database_is_named(start: Start) -> None:
    served = start(RUNLEDGER_LEDGER_URL="postgresql://127.0.0.1:1/none")
    assert served.process.wait(START_SECONDS) == 69
    assert "127.0.0.1:1/none" in served.output.read_text()
