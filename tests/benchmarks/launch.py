"""From a launch to its start and its first step, beside MLflow's create_run: `make bench-launch`.

Accepted: `Client.launch` over HTTP until its answer, which says that the run stands in the log, beside
MLflow's client on a stock server: `create_run` and one `log_batch` of ten params. Each through its own Python
client over one kept connection, turn by turn. These launches ask for a worker that is not there, so that
nothing trains meanwhile; the request is otherwise that of the launches below, a spec of some thirty values.

Started and first step: launches one by one on an idle `runledger up` with MLflow and its sink, as it ships,
with a warm compilation cache and a ready spare. From the sending of the request to `recorded_at` of
`RunStarted` (the database's clock), and to the time that the training gave to the points of its step 1, when
it logged them. Before that step it makes a tokenizer and the data, compiles, and saves a checkpoint.

MLflow's server for the comparison is another than the one that `up` feeds: nobody else speaks to it.
"""

from __future__ import annotations

import argparse
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

import redis

from runledger.api.cli.preflight import free_port
from runledger.api.client import Client
from tests.benchmarks import bench
from tests.system.conftest import REDIS_URL
from tests.system.installation import Installation, until

SPEC: dict[str, Any] = {
    "model": {"layers": 1, "width": 32, "heads": 2, "key_value_heads": 2, "hidden": 64},
    "tokenizer": {"vocabulary": 300},
    "data": {
        "dataset": {"generator": "arithmetic", "options": {"split": "train", "items": 500}},
        "sequence_length": 128,
    },
    "optimizer": {"warmup_steps": 2},
    "training": {"steps": 5, "batch_size": 16},
    "checkpointing": {"every": 0},
}
ELSEWHERE = {"bench": "a worker that is not there"}
PARAMS = {f"param_{number}": str(number) for number in range(10)}
FIRST_METRIC = "train/loss"
REST_SECONDS = 0.3
"""Behind each request: what it has caused, such as our run's mirror in MLflow, is no burden of the next."""
READY = "runledger_trainer_spares 1.0"


class Effort(NamedTuple):
    accepted: int
    launched: int


FULL = Effort(accepted=200, launched=20)
QUICK = Effort(accepted=40, launched=6)


class Launch(NamedTuple):
    """Milliseconds since the request was sent."""

    accepted_ms: float
    started_ms: float
    first_step_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description="From a launch to its start and its first step.")
    parser.add_argument("--quick", action="store_true", help="fewer of each")
    parser.add_argument("--embedded", action="store_true", help="SQLite and the broker in memory alone")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL
    bench.say(bench.describe_machine())
    with bench.workspace() as folder, bench.mlflow(folder / "peer") as mlflow_url:
        create = mlflow_runs(mlflow_url)
        embedded = measure("SQLite, broker in memory", folder / "embedded", {}, create, effort)
        if not arguments.embedded:
            with production() as environment:
                if environment is not None:
                    measure("PostgreSQL, Redis", folder / "production", environment, create, effort)
    accepted, peer, launches = embedded
    bench.result(
        post_p95_ms=p95(accepted),
        mlflow_p95_ms=p95(peer),
        ratio=p95(peer) / p95(accepted),
        started_p50_ms=median(one.started_ms for one in launches),
        first_step_p50_ms=median(one.first_step_ms for one in launches),
    )


def measure(
    name: str, folder: Path, environment: dict[str, str], create: Callable[[], float], effort: Effort
) -> tuple[list[float], list[float], list[Launch]]:
    """Milliseconds of launches accepted and of MLflow's runs, and the launches that were executed."""
    folder.mkdir()
    ports = {"RUNLEDGER_MLFLOW_PORT": str(free_port()), "RUNLEDGER_METRICS_PORT": str(free_port())}
    with bench.installed(folder, {**ports, **environment}) as installation:
        spare = f"http://127.0.0.1:{int(ports['RUNLEDGER_METRICS_PORT']) + 2}/metrics"
        cold = execute(installation.client)
        bench.say(f"\n{name}: the first launch, cold: first step after {cold.first_step_ms:,.0f} ms")
        launches = [executed(installation, spare) for _ in range(effort.launched)]
        accepted, peer = alternate(installation.client, create, effort.accepted)
    bench.table(
        [
            row("accepted", accepted),
            row("MLflow create_run, 10 params", peer),
            row("RunStarted", [one.started_ms for one in launches]),
            row("first step", [one.first_step_ms for one in launches]),
        ],
        f"{name}: ms since the request was sent",
    )
    return accepted, peer, launches


def alternate(client: Client, create: Callable[[], float], count: int) -> tuple[list[float], list[float]]:
    """Launches that wait for a worker, and MLflow's runs, turn by turn."""
    ours, theirs = [], []
    for _ in range(count):
        ours.append(launch(client, worker_labels=ELSEWHERE)[1])
        time.sleep(REST_SECONDS)
        theirs.append(create())
        time.sleep(REST_SECONDS)
    return ours, theirs


def launch(client: Client, **options: Any) -> tuple[str, float]:
    """The run, and the milliseconds until it was accepted."""
    began = time.perf_counter()
    launched = client.launch("lm", experiment="bench", spec=SPEC, **options)
    return launched.run_id, (time.perf_counter() - began) * 1000


def executed(installation: Installation, spare_url: str) -> Launch:
    """A launch on an idle worker with a ready spare."""
    until(lambda: READY in read(spare_url), 60, "a ready spare")
    return execute(installation.client)


def execute(client: Client) -> Launch:
    sent_at = time.time()
    run_id, accepted_ms = launch(client)
    run = client.wait(run_id, timeout_seconds=300)
    assert run.status == "completed", run.status
    started = next(fact for fact in client.facts(run_id) if fact.type == "RunStarted")
    series = client.series(run_id, FIRST_METRIC, after=run.position)
    first = min(at for at, step in zip(series.time, series.step, strict=True) if step == 1)
    return Launch(
        accepted_ms=accepted_ms,
        started_ms=(started.recorded_at.timestamp() - sent_at) * 1000,
        first_step_ms=(first / 1e6 - sent_at) * 1000,
    )


def mlflow_runs(url: str) -> Callable[[], float]:
    """Makes one run with ten params a call; its milliseconds."""
    from mlflow import MlflowClient  # it takes seconds
    from mlflow.entities import Param

    client = MlflowClient(url)
    experiment_id = client.create_experiment("bench")
    params = [Param(name, value) for name, value in PARAMS.items()]

    def create() -> float:
        began = time.perf_counter()
        run = client.create_run(experiment_id)
        client.log_batch(run.info.run_id, params=params)
        return (time.perf_counter() - began) * 1000

    create()
    return create


@contextmanager
def production() -> Iterator[dict[str, str] | None]:
    """PostgreSQL and Redis, of their own names; None where one of them is missing."""
    broker = redis.Redis.from_url(REDIS_URL)
    try:
        broker.ping()
    except redis.ConnectionError as problem:
        bench.say(f"not measured: Redis at {REDIS_URL}: {problem}")
        yield None
        return
    queue = f"runledger-bench-{os.getpid()}"
    with ExitStack() as stack:
        stack.callback(broker.close)
        stack.callback(lambda: [broker.delete(key) for key in broker.scan_iter(f"{queue}*")])
        if "postgresql" not in bench.kinds():
            yield None
            return
        addresses = stack.enter_context(bench.databases("postgresql"))
        yield {
            "RUNLEDGER_LEDGER_URL": addresses.ledger_url,
            "RUNLEDGER_BROKER_URL": REDIS_URL,
            "RUNLEDGER_QUEUE": queue,
        }


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def row(what: str, values: list[float]) -> dict[str, bench.Figure]:
    return {"": what, "p50": median(values), "p95": p95(values), "most": max(values), "of": len(values)}


def p95(values: list[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1]


if __name__ == "__main__":
    main()
