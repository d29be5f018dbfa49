"""What the tests of the journey share: a ledger with runs in it, and worker processes that execute them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import psycopg

from runledger.tracker.aggregates import registry
from runledger.tracker.aggregates.benchmark import DefineBenchmark
from runledger.tracker.aggregates.dataset import RegisterDataset
from runledger.tracker.aggregates.run import RequestRun, Run
from runledger.tracker.blobs import Blobs
from runledger.tracker.dispatch import Dispatcher
from runledger.tracker.effective import cut, points_within
from runledger.tracker.envelope import Metadata, Recorded
from runledger.tracker.events.base import Covers, ResumePoint
from runledger.tracker.events.dataset import Uploaded
from runledger.tracker.events.telemetry import LogsRecorded, MetricsRecorded
from runledger.tracker.ids import BenchmarkId, RunId, WorkerId, new_id, run_stream, telemetry_stream
from runledger.tracker.spec import Limits, RunSpec
from runledger.tracker.store.announcements import Device
from runledger.tracker.store.announcements import Worker as AnnouncedWorker
from runledger.tracker.store.engine import open_ledger
from runledger.tracker.store.log import Log
from runledger.trainer import recipes
from runledger.trainer.progress import ProgressWatch
from runledger.trainer.recipes import Found
from runledger.trainer.services import Services, now
from runledger.trainer.settings import TrainerSettings
from tests.conftest import POSTGRESQL_URL

ROOT = Path(__file__).parents[2]
TOY = "tests.trainer.toy_recipe:toy"
Point = tuple[str, int, float]
SOMEBODY = Metadata(actor="api:somebody")


def toy() -> Found:
    recipe = recipes.load(TOY)
    return Found(
        reference=TOY,
        name=recipe.name,
        version=recipe.version,
        digest=recipes.digest_of(recipe, TOY),
        schema=msgspec.json.schema(recipe.spec),
    )


class World:
    """One ledger, its blobs, and the workers started on it."""

    def __init__(self, folder: Path, ledger_url: str) -> None:
        self.folder = folder
        self.ledger_url = ledger_url
        self.engine = open_ledger(ledger_url)
        self.log = Log(self.engine)
        self.dispatcher = Dispatcher(self.log, clock=now)
        self.blobs = Blobs(f"file://{folder / 'blobs'}")
        self.workers: list[Worker] = []

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.log.close()
        self.engine.dispose()

    def request(
        self,
        *,
        limits: Limits | None = None,
        priority: int = 0,
        asked: Mapping[str, Any] = MappingProxyType({}),
        **values: Any,
    ) -> RunId:
        """`asked` are further fields of the request, `values` those of the spec."""
        run_id = RunId(new_id())
        recipe = toy()
        command = RequestRun(
            run_id=run_id,
            experiment_id=new_id(),
            name="a walk",
            spec=RunSpec(recipe="toy", version=1, digest=recipe.digest, values=values),
            priority=priority,
            requested_by="somebody",
            **{"limits": limits or Limits(), **asked},
        )
        self.dispatcher.dispatch(command, SOMEBODY)
        return run_id

    def benchmark(self, items: int = 3) -> BenchmarkId:
        content = b"".join(b'{"id": "%d"}\n' % number for number in range(items))
        digest = self.blobs.put_bytes(content)
        register = RegisterDataset(
            digest=digest,
            name="items",
            format="traces",
            items=items,
            size_bytes=len(content),
            source=Uploaded(),
        )
        benchmark_id = BenchmarkId(new_id())
        define = DefineBenchmark(
            benchmark_id=benchmark_id,
            name="exact",
            dataset=digest,
            scorer="exact_match",
            scorer_version=1,
            direction="maximize",
        )
        self.dispatcher.dispatch_all(register, define, metadata=SOMEBODY)
        return benchmark_id

    def services(self, name: str = "here", **settings: Any) -> Services:
        """What a worker in this process would work with."""
        return Services(
            log=self.log,
            blobs=self.blobs,
            dispatcher=self.dispatcher,
            settings=TrainerSettings(**settings),
            worker=AnnouncedWorker(
                worker_id=WorkerId(name), recipes=(), devices=(Device(kind="cpu"),), labels={"rack": "7"}
            ),
            recipes=(toy(),),
            data=self.folder / f"data-{name}",
            environ=os.environ,
        )

    def start_worker(self, name: str = "w", **settings: Any) -> Worker:
        worker = Worker(self, name, settings)
        self.workers.append(worker)
        return worker

    def run(self, run_id: RunId) -> Run:
        return self.dispatcher.load(registry.RUN, run_id)

    def events(self, run_id: RunId) -> list[Any]:
        return [recorded.event for recorded in self.log.read(run_stream(run_id))]

    def tags(self, run_id: RunId) -> list[str]:
        return [recorded.type for recorded in self.log.read(run_stream(run_id))]

    def wait(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert not any((worker.process.poll() or 0) > 0 for worker in self.workers), self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def said(self) -> str:
        """What the workers have printed."""
        return "\n".join(worker.output() for worker in self.workers)

    def wait_for(self, run_id: RunId, status: str, seconds: float = 60.0) -> Run:
        def has_come() -> bool:
            run = self.run(run_id)
            if run.is_ended and run.status != status:
                raise AssertionError(f"{run.status}: {self.events(run_id)[-1]}\n{self.said()}")
            return run.status == status

        self.wait(has_come, seconds)
        return self.run(run_id)

    def telemetry(self, run_id: RunId, attempt: int) -> list[Recorded]:
        return self.log.read(telemetry_stream(run_id, attempt))

    def points(self, run_id: RunId, attempt: int, limit: Covers | None = None) -> list[Point]:
        """What the attempt logged, as far as `limit` covers it."""
        return [
            point
            for recorded in self.telemetry(run_id, attempt)
            if isinstance(recorded.event, MetricsRecorded)
            for point in points_of(recorded.event)[
                : points_within(recorded.version, len(recorded.event.value) // 8, limit)
            ]
        ]

    def curve(self, run_id: RunId) -> list[Point]:
        """The effective points of all attempts."""
        run = self.run(run_id)
        attempts = {attempt.number: attempt.resumed_from for attempt in run.attempts}
        saved = {
            ResumePoint(attempt=each.attempt, step=each.step, digest=each.digest): each.covers
            for each in run.checkpoints
        }
        limits = cut(attempts, saved)
        return [point for number in sorted(attempts) for point in self.points(run_id, number, limits[number])]

    def journal_output(self, run_id: RunId, attempt: int = 1) -> str:
        """What the attempt has printed, read where it is written."""
        found = list(self.folder.glob(f"data-*/attempts/{run_id}-{attempt}/output.log"))
        return found[0].read_text() if found else ""

    def journal_step(self, run_id: RunId, attempt: int = 1) -> int | None:
        """The newest step that stands in the attempt's journal: only that outlives its process."""
        for path in self.folder.glob(f"data-*/attempts/{run_id}-{attempt}/journal"):
            watch = ProgressWatch(path)
            watch.look()
            return watch.step
        return None

    @contextmanager
    def outage(self) -> Iterator[None]:
        """PostgreSQL lets nobody in, and throws everybody out."""
        database = self.engine.url.database
        with psycopg.connect(POSTGRESQL_URL, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database]
            )
            yield
            connection.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")

    def output(self, run_id: RunId, attempt: int = 1) -> str:
        chunks = [recorded.event for recorded in self.telemetry(run_id, attempt)]
        logs = [chunk for chunk in chunks if isinstance(chunk, LogsRecorded)]
        return b"".join(self.blobs.read(chunk.digest) for chunk in logs).decode()


def points_of(event: MetricsRecorded) -> list[Point]:
    columns = array("H", event.key_index), array("q", event.step), array("d", event.value)
    return [(event.keys[key], step, value) for key, step, value in zip(*columns, strict=True)]


class Worker:
    """A worker process. Its data folder outlives it, as a machine's disk does."""

    def __init__(self, world: World, name: str, settings: dict[str, Any]) -> None:
        self.data = world.folder / f"data-{name}"
        self.data.mkdir(exist_ok=True)
        given = {"recipes": TOY, "lease_seconds": 1.5, "poll_seconds": 0.1, "resend_seconds": 1.0, **settings}
        variables = {
            "PYTHONPATH": str(ROOT),
            "RUNLEDGER_DATA": str(self.data),
            "RUNLEDGER_LEDGER_URL": world.ledger_url,
            "RUNLEDGER_BLOBS_URL": f"file://{world.folder / 'blobs'}",
            **{f"RUNLEDGER_{key.upper()}": str(value) for key, value in given.items()},
        }
        self._log = world.folder / f"{name}.log"
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "runledger.trainer"],
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def output(self) -> str:
        return self._log.read_text()

    def kill(self) -> None:
        """As the kernel does: no farewell."""
        self.process.kill()
        self.process.wait()

    def drain(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)
