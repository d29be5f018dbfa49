"""What the sink reads from the log: a run's facts, what they refer to, and the points still to be told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec
import numpy as np

from runledger.projections.mlflow.driver import MAX_POINTS, Point
from runledger.projections.mlflow.facts import Facts, fold
from runledger.projections.mlflow.mapping import Known, named_datasets, point
from runledger.tracker.effective import NOTHING, points_within
from runledger.tracker.envelope import Recorded
from runledger.tracker.errors import NotFound
from runledger.tracker.events.base import Covers
from runledger.tracker.events.benchmark import BenchmarkDefined
from runledger.tracker.events.dataset import DatasetRegistered
from runledger.tracker.events.evaluation import EvaluationCompleted
from runledger.tracker.events.telemetry import MetricsRecorded
from runledger.tracker.ids import (
    BenchmarkId,
    Digest,
    EvaluationId,
    RunId,
    benchmark_stream,
    dataset_stream,
    evaluation_stream,
    run_stream,
    telemetry_stream,
)

BATCHES_AT_ONCE = 100


class ReadableLog(Protocol):
    """The part of the log that is read here."""

    @property
    def log_id(self) -> str: ...

    def read(self, stream: str, *, after: int = 0, limit: int | None = None) -> list[Recorded]: ...


class Portion(msgspec.Struct, frozen=True, kw_only=True):
    """Points for one call, and how much of the attempt is told once it has succeeded."""

    attempt: int
    points: list[Point]
    upto: Covers


class Reader:
    """Reads runs; what cannot change once it is in the log is kept."""

    def __init__(self, log: ReadableLog, *, public_url: str, artifact_bytes: int) -> None:
        self._log = log
        self._public_url = public_url.rstrip("/")
        self._artifact_bytes = artifact_bytes
        self._benchmarks: dict[str, BenchmarkDefined] = {}
        self._datasets: dict[str, DatasetRegistered] = {}
        self._evaluations: dict[str, EvaluationCompleted] = {}

    def facts(self, run_id: RunId) -> Facts:
        """Raises `NotFound`."""
        return fold(run_id, self._log.read(run_stream(run_id)))

    def known(self, facts: Facts) -> Known:
        """All that the mapping of this run refers to."""
        evaluated = [scored.event for scored in facts.evaluations]
        benchmarks = {event.benchmark_id: self._benchmark(event.benchmark_id) for event in evaluated}
        digests = named_datasets(facts.run.params) | {benchmark.dataset for benchmark in benchmarks.values()}
        if facts.environment is not None and facts.environment.dataset_digest is not None:
            digests.add(facts.environment.dataset_digest)
        datasets = {digest: self._dataset(digest) for digest in digests}
        evaluations = {event.evaluation_id: self._evaluation(event.evaluation_id) for event in evaluated}
        return Known(
            log_id=self._log.log_id,
            public_url=self._public_url,
            artifact_bytes=self._artifact_bytes,
            benchmarks=benchmarks,
            datasets={digest: found for digest, found in datasets.items() if found is not None},
            evaluations={each: found for each, found in evaluations.items() if found is not None},
        )

    def portions(
        self, run_id: RunId, limits: dict[int, Covers | None], written: dict[int, Covers]
    ) -> Iterator[Portion]:
        """The points within `limits` behind those that are `written`, in the order of the log."""
        for attempt in sorted(limits):
            yield from self._portions(run_id, attempt, written.get(attempt, NOTHING), limits[attempt])

    def _portions(
        self, run_id: RunId, attempt: int, written: Covers, limit: Covers | None
    ) -> Iterator[Portion]:
        points: list[Point] = []
        upto = written
        for version, batch in self._batches(run_id, attempt, written, limit):
            start = written.offset if version == written.version else 0
            end = points_within(version, len(batch), limit)
            while start < end:
                taken = batch[start : min(end, start + MAX_POINTS - len(points))]
                points += taken
                start += len(taken)
                upto = Covers(version=version, offset=start)
                if len(points) == MAX_POINTS:
                    yield Portion(attempt=attempt, points=points, upto=upto)
                    points = []
        if points:
            yield Portion(attempt=attempt, points=points, upto=upto)

    def _batches(
        self, run_id: RunId, attempt: int, written: Covers, limit: Covers | None
    ) -> Iterator[tuple[int, list[Point]]]:
        """Versions and points, from the first batch that is not wholly written to the limit."""
        stream = telemetry_stream(run_id, attempt)
        after = max(written.version - 1, 0)
        while limit is None or after < limit.version:
            page = self._log.read(stream, after=after, limit=BATCHES_AT_ONCE)
            for recorded in page:
                if isinstance(event := recorded.event, MetricsRecorded):
                    yield recorded.version, decode(event)
            if len(page) < BATCHES_AT_ONCE:
                return
            after = page[-1].version

    def _benchmark(self, benchmark_id: str) -> BenchmarkDefined:
        if benchmark_id not in self._benchmarks:
            for recorded in self._log.read(benchmark_stream(BenchmarkId(benchmark_id)), limit=1):
                if isinstance(event := recorded.event, BenchmarkDefined):
                    self._benchmarks[benchmark_id] = event
        try:
            return self._benchmarks[benchmark_id]
        except KeyError:
            raise NotFound("benchmark", benchmark_id) from None

    def _dataset(self, digest: Digest) -> DatasetRegistered | None:
        """None where a digest in a spec names something else."""
        if digest not in self._datasets:
            for recorded in self._log.read(dataset_stream(digest), limit=1):
                if isinstance(event := recorded.event, DatasetRegistered):
                    self._datasets[digest] = event
        return self._datasets.get(digest)

    def _evaluation(self, evaluation_id: str) -> EvaluationCompleted | None:
        """None where the scores were reported without predictions."""
        if evaluation_id not in self._evaluations:
            for recorded in self._log.read(evaluation_stream(EvaluationId(evaluation_id))):
                if isinstance(event := recorded.event, EvaluationCompleted):
                    self._evaluations[evaluation_id] = event
        return self._evaluations.get(evaluation_id)


def decode(event: MetricsRecorded) -> list[Point]:
    """The points of a batch as MLflow gives them back."""
    index = np.frombuffer(event.key_index, dtype="<u2").tolist()
    steps = np.frombuffer(event.step, dtype="<i8").tolist()
    times = np.frombuffer(event.time, dtype="<i8").tolist()
    values = np.frombuffer(event.value, dtype="<f8").tolist()
    return [
        point(event.keys[key], step, time, value)
        for key, step, time, value in zip(index, steps, times, values, strict=True)
    ]
