"""The clients of the ingest benchmark: processes that stay, and send batches when they are told to.

Each sends through the Python client of its side: `MlflowClient.log_batch` with a thousand `Metric`, or
`Door.metrics` of the courier. What they count is what was answered.
"""

from __future__ import annotations

import multiprocessing
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

from runledger.api.courier.door import Door, Holding
from runledger.api.courier.errors import NotReachable
from runledger.api.courier.forms import Form
from runledger.tracker.events.telemetry import MetricsRecorded

KEYS = tuple(f"train/layer{number:02d}/gradient_norm" for number in range(100))
STEPS = 10
POINTS = len(KEYS) * STEPS
BEGAN = 1_790_000_000_000_000
"""µs since 1970 of the first step; each takes a second."""
STUCK_SECONDS = 120.0


class Order(NamedTuple):
    """Begin at that moment of the monotonic clock, and begin no batch after so many seconds."""

    side: str
    """`mlflow`, or a form of ours."""
    at: float
    seconds: float


class Sent(NamedTuple):
    batches: int
    seconds: float
    refused: int
    """How often the answer was to come again later."""


def batch(number: int) -> MetricsRecorded:
    """Ten steps of a hundred keys: the same points for both sides."""
    step = np.repeat(np.arange(number * STEPS, (number + 1) * STEPS, dtype="<i8"), len(KEYS))
    return MetricsRecorded(
        keys=KEYS,
        key_index=_INDEX,
        step=step.tobytes(),
        time=(BEGAN + 1_000_000 * step).tobytes(),
        value=(_NOISE + number).tobytes(),
    )


_INDEX = np.tile(np.arange(len(KEYS), dtype="<u2"), STEPS).tobytes()
_NOISE = np.random.default_rng(7).random(POINTS)


class Ours:
    """A run of its own through one kept connection."""

    def __init__(self, url: str, name: str) -> None:
        self._door = Door(url)
        run = self._door.request_run(experiment="ingest", name=name, run_id=uuid.uuid4().hex)
        started = self._door.start(run.run_id, name, lease_seconds=3600)
        self._holding = Holding(run_id=run.run_id, attempt=started.attempt, epoch=started.epoch)
        self._sent = 0
        self.refused = 0

    def send(self, form: Form) -> None:
        event = batch(self._sent)
        while True:
            try:
                self._door.metrics(self._holding, self._sent + 1, event, version=self._sent, form=form)
            except NotReachable:
                self.refused += 1
                time.sleep(0.01)
            else:
                self._sent += 1
                return


class Theirs:
    """A run of its own in MLflow."""

    def __init__(self, url: str, name: str, experiment: str) -> None:
        self._client = MlflowClient(url)
        self._run_id = self._client.create_run(experiment, run_name=name).info.run_id
        self._sent = 0

    def send(self) -> None:
        values = (_NOISE + self._sent).tolist()
        first = self._sent * STEPS
        metrics = [
            Metric(KEYS[at % len(KEYS)], value, BEGAN // 1000 + 1000 * step, step)
            for at, value in enumerate(values)
            for step in (first + at // len(KEYS),)
        ]
        self._client.log_batch(self._run_id, metrics=metrics)
        self._sent += 1


def serve(orders: Connection, name: str, our_url: str, mlflow_url: str, experiment: str) -> None:
    """One client process: both sides are connected before the first order."""
    ours, theirs = Ours(our_url, name), Theirs(mlflow_url, name, experiment)
    theirs.send()
    ours.send("columns")
    orders.send("ready")
    while (order := orders.recv()) is not None:
        send = theirs.send if order.side == "mlflow" else _sender(ours, order.side)
        ours.refused = 0
        orders.send(_obey(order, send)._replace(refused=ours.refused))


def _sender(ours: Ours, form: Form) -> Callable[[], None]:
    return lambda: ours.send(form)


def _obey(order: Order, send: Callable[[], None]) -> Sent:
    time.sleep(max(order.at - time.monotonic(), 0))
    began = time.monotonic()
    batches = 0
    while time.monotonic() - began < order.seconds:
        send()
        batches += 1
    return Sent(batches, time.monotonic() - began, 0)


class Clients:
    """Some client processes, of which the first few are given each order."""

    def __init__(self, pipes: Sequence[Connection]) -> None:
        self._pipes = pipes

    def rate(self, side: str, count: int, seconds: float) -> tuple[float, int]:
        """Points answered a second by `count` of them together, and how many answers were refusals."""
        order = Order(side, time.monotonic() + 0.1, seconds)
        for pipe in self._pipes[:count]:
            pipe.send(order)
        sent = [_receive(pipe) for pipe in self._pipes[:count]]
        rate = sum(each.batches * POINTS / each.seconds for each in sent)
        return rate, sum(each.refused for each in sent)


@contextmanager
def clients(count: int, our_url: str, mlflow_url: str, experiment: str) -> Iterator[Clients]:
    """Started from one process that has imported everything once: MLflow takes seconds to import."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    pipes, processes = [], []
    for number in range(count):
        ours, theirs = context.Pipe()
        arguments = (theirs, f"client {number}", our_url, mlflow_url, experiment)
        process = context.Process(target=serve, args=arguments, daemon=True)
        process.start()
        pipes.append(ours)
        processes.append(process)
    try:
        for pipe in pipes:
            _receive(pipe)
        yield Clients(pipes)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _receive(pipe: Connection) -> Sent:
    assert pipe.poll(STUCK_SECONDS), "a client process does not answer"
    found: Sent = pipe.recv()
    return found
