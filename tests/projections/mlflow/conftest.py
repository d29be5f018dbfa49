"""Runs told event by event, a sink in this process, and one real MLflow server for all tests that want it."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import Engine

from runledger.projections.mlflow.comparing import Difference, diff
from runledger.projections.mlflow.driver import MlflowDriver
from runledger.projections.mlflow.memory import MemoryMlflow
from runledger.projections.mlflow.process import make_reader, make_sink
from runledger.projections.mlflow.settings import MlflowSettings
from runledger.projections.mlflow.sink import Pace, Sink
from runledger.tracker.blobs import Blobs
from runledger.tracker.envelope import Metadata, NewEvent, Write
from runledger.tracker.events.base import Covers, Event, ForkPoint, ResumePoint, Score
from runledger.tracker.events.benchmark import BenchmarkDefined
from runledger.tracker.events.dataset import DatasetRegistered, Generated
from runledger.tracker.events.evaluation import EvaluationCompleted, EvaluationRequested
from runledger.tracker.events.experiment import ExperimentCreated
from runledger.tracker.events.run import (
    RunCheckpointed,
    RunEvaluated,
    RunRequested,
    RunStarted,
)
from runledger.tracker.events.telemetry import MetricsRecorded
from runledger.tracker.ids import Stream
from runledger.tracker.spec import RunSpec
from runledger.tracker.store.log import Log

BEGIN = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
REMOTE_TESTS = {"test_driver.py", "test_remote.py"}
QUICK = Pace(poll=0.01, first_back_off=0.01, longest_back_off=0.05, first_retry=60.0)
SETTINGS = MlflowSettings(mlflow_url="http://mlflow.invalid", public_url="http://runledger.test")


class Story:
    """Appends facts without asking whether they are allowed; the clock moves a second an append."""

    def __init__(self, log: Log, blobs: Blobs) -> None:
        self.log = log
        self.blobs = blobs
        self.now = BEGIN
        self._saved: dict[ResumePoint, RunCheckpointed] = {}

    def tell(self, stream: str, *events: Event) -> int:
        self.now += timedelta(seconds=1)
        new = tuple(
            NewEvent(
                event_id=uuid.uuid4(), event=event, occurred_at=self.now, metadata=Metadata(actor="test")
            )
            for event in events
        )
        return self.log.append(
            Write(stream=Stream(stream), expected_version=self.log.version(stream), events=new)
        )

    def experiment(self, name: str = "arithmetic") -> str:
        experiment_id = uuid.uuid4().hex
        self.tell(f"experiment-{experiment_id}", ExperimentCreated(name=name, description="sums"))
        return experiment_id

    def request(self, experiment_id: str | None = None, **fields: Any) -> str:
        run_id = uuid.uuid4().hex
        values = fields.pop("values", {"learning_rate": 0.001, "model": {"layers": 2}, "tied": True})
        given = {
            "name": "a run",
            "spec": RunSpec(recipe="lm", version=1, digest="0" * 64, values=values),
            "requested_by": "api:local",
            "experiment_id": experiment_id or self.experiment(f"experiment of {run_id[:8]}"),
        }
        self.tell(f"run-{run_id}", RunRequested(**(given | fields)))
        return run_id

    def fork(self, parent: str, **fields: Any) -> str:
        return self.request(forked_from=ForkPoint(run_id=parent, step=1, digest="0" * 64), **fields)

    def start(self, run_id: str, attempt: int = 1, resumed_from: ResumePoint | None = None) -> None:
        event = RunStarted(attempt=attempt, worker="w", epoch=attempt, resumed_from=resumed_from)
        self.tell(f"run-{run_id}", event)

    def points(self, run_id: str, steps: Sequence[int], attempt: int = 1, offset: float = 0.0) -> Covers:
        """Two metrics a step, in one batch; what covers all of it."""
        stream = f"telemetry-{run_id}-{attempt}"
        rows = [(index, step, step * 1_000_500, offset + step + index) for step in steps for index in (0, 1)]
        keys = ("train/loss", "train/grad norm")
        self.tell(stream, batch(keys, rows))
        return Covers(version=self.log.version(stream), offset=len(rows))

    def checkpoint(
        self, run_id: str, step: int, covers: Covers, attempt: int = 1, content: bytes | None = None
    ) -> ResumePoint:
        digest = self.blobs.put_bytes(content or f"{run_id} {attempt} {step}".encode())
        event = RunCheckpointed(
            attempt=attempt,
            step=step,
            digest=digest,
            size_bytes=self.blobs.size(digest),
            loss=0.5,
            covers=covers,
        )
        self.tell(f"run-{run_id}", event)
        return ResumePoint(attempt=attempt, step=step, digest=digest)

    def dataset(self, name: str = "sums") -> str:
        digest = self.blobs.put_bytes(f"{name} {uuid.uuid4()}".encode())
        source = Generated(generator="arithmetic", options={"seed": 1})
        event = DatasetRegistered(name=name, format="traces", items=3, size_bytes=30, source=source)
        self.tell(f"dataset-{digest}", event)
        return digest

    def benchmark(self, name: str = "held out") -> str:
        benchmark_id = uuid.uuid4().hex
        event = BenchmarkDefined(
            name=name,
            dataset=self.dataset(name),
            scorer="exact_match",
            scorer_version=1,
            direction="maximize",
        )
        self.tell(f"benchmark-{benchmark_id}", event)
        return benchmark_id

    def evaluate(self, run_id: str, benchmark_id: str, saved: ResumePoint, value: float = 0.25) -> str:
        evaluation_id = uuid.uuid4().hex
        predictions = self.blobs.put_bytes(b'{"id":"1","answer":"4"}\n{"id":"2","answer":"5","note":"?"}\n')
        scores = (Score(name="exact_match", value=value, low=0.1, high=0.4, count=2),)
        requested = EvaluationRequested(
            run_id=run_id,
            step=saved.step,
            checkpoint=saved.digest,
            benchmark_id=benchmark_id,
            requested_by="t",
        )
        completed = EvaluationCompleted(attempt=1, scores=scores, predictions=predictions, items=2)
        self.tell(f"evaluation-{evaluation_id}", requested, completed)
        evaluated = RunEvaluated(
            attempt=saved.attempt,
            step=saved.step,
            benchmark_id=benchmark_id,
            evaluation_id=evaluation_id,
            scores=scores,
        )
        self.tell(f"run-{run_id}", evaluated)
        return evaluation_id


def batch(keys: tuple[str, ...], rows: Sequence[tuple[int, int, int, float]]) -> MetricsRecorded:
    index, step, moment, value = zip(*rows, strict=True)
    return MetricsRecorded(
        keys=keys,
        key_index=np.array(index, "<u2").tobytes(),
        step=np.array(step, "<i8").tobytes(),
        time=np.array(moment, "<i8").tobytes(),
        value=np.array(value, "<f8").tobytes(),
    )


class Clock:
    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        return self.now


class Told:
    """A sink over one log, stepped until it has caught up."""

    def __init__(self, log: Log, views: Engine, blobs: Blobs, settings: MlflowSettings = SETTINGS) -> None:
        self.log = log
        self.views = views
        self.blobs = blobs
        self.settings = settings
        self.clock = Clock()

    def sink(self, driver: MlflowDriver) -> Sink:
        return make_sink(
            self.log, self.views, self.blobs, driver, self.settings, clock=self.clock, pace=QUICK
        )

    def catch_up(self, driver: MlflowDriver) -> None:
        """What a new process does until there is nothing left to do."""
        sink, stop = self.sink(driver), threading.Event()
        sink.begin(stop)
        position = sink.position()
        while (reached := sink.step(position, stop)) != position:
            position = reached

    def differences(self, driver: MlflowDriver) -> list[Difference]:
        return list(diff(self.log, driver, make_reader(self.log, self.settings)))


@pytest.fixture(params=["sqlite"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """What the sink keeps is little; `test_state` and `test_remote` hold it against PostgreSQL as well."""
    return str(request.param)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(f"file://{tmp_path / 'blobs'}")


@pytest.fixture
def story(log: Log, blobs: Blobs) -> Story:
    return Story(log, blobs)


@pytest.fixture
def told(log: Log, views: Engine, blobs: Blobs) -> Told:
    return Told(log, views, blobs)


@pytest.fixture
def mlflow() -> MemoryMlflow:
    return MemoryMlflow()


@pytest.fixture(scope="session", autouse=True)
def mlflow_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str | None]:
    """A stock server for the session, if a test wants it: it starts while the first tests run.

    RUNLEDGER_TEST_MLFLOW_URL names one that runs already.
    """
    url = os.environ.get("RUNLEDGER_TEST_MLFLOW_URL")
    if url or not any(item.path.name in REMOTE_TESTS for item in request.session.items):
        yield url
        return
    port = free_port()
    process = start_server(tmp_path_factory.mktemp("mlflow"), port)
    yield f"http://127.0.0.1:{port}"
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)


@pytest.fixture(scope="session")
def mlflow_url(mlflow_server: str) -> str:
    wait_until(lambda: _answers(mlflow_server), 180.0)
    return mlflow_server


def start_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """The server that `runledger up` starts as well: job execution and telemetry off."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    environment = os.environ | {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    with (folder / "server.log").open("wb") as output:
        return subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, cwd=folder, start_new_session=True
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("not in time")
        time.sleep(0.02)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def make_remote() -> Callable[[str], MlflowDriver]:
    """Imports mlflow, which takes seconds, only where it is wanted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        remote = importlib.import_module("runledger.projections.mlflow.remote")
    remote.prepare_environment(os.environ)
    made: Callable[[str], MlflowDriver] = remote.RemoteMlflow
    return made


@pytest.fixture
def remote(mlflow_url: str, make_remote: Callable[[str], MlflowDriver]) -> MlflowDriver:
    return make_remote(mlflow_url)


@pytest.fixture
def absent_remote(make_remote: Callable[[str], MlflowDriver]) -> MlflowDriver:
    return make_remote(f"http://127.0.0.1:{free_port()}")
