"""A long log of a stated mix, for the benchmarks that read it: lives of runs, telemetry, evaluations …

Of a run's 250 events 215 are telemetry (205 batches of 20 points of four keys, ten ranges of output), 23 are
its life (parameters, environment, tags, six checkpoints, four artifacts, four scores) and 12 its four
evaluations; every tenth run brings an experiment, every fifth a dataset, every fiftieth a benchmark. Twenty
runs go on at a time, as they would on twenty workers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

import numpy as np

from runledger.tracker.envelope import Metadata, NewEvent, Write
from runledger.tracker.events import benchmark, dataset, evaluation, experiment, run
from runledger.tracker.events.base import Covers, Event, Score
from runledger.tracker.events.telemetry import LogsRecorded, MetricsRecorded
from runledger.tracker.ids import Digest, ExperimentId, Stream, new_event_id
from runledger.tracker.spec import RunSpec
from runledger.tracker.store.log import Log

AT_A_TIME = 20
BATCHES = 205
STEPS = 5
KEYS = ("train/loss", "train/accuracy", "train/grad_norm", "lr")
ROUNDS = 10
"""Each with a tenth of the batches and a range of output; six with a checkpoint, four with a score."""
APPEND_EVENTS = 2_000
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
ME = Metadata(actor="worker:bench", correlation_id=None)
MIX = "86 % telemetry (20 points a batch), 9 % lives of runs, 5 % evaluations, a few datasets and experiments"


class Told(NamedTuple):
    stream: str
    event: Event


def tell(log: Log, events: int, seed: int = 7) -> None:
    """Appends so many."""
    versions: dict[str, int] = {}
    moment = BEGIN
    history = islice(_all(random.Random(seed)), events)
    while some := list(islice(history, APPEND_EVENTS)):
        moment += timedelta(seconds=1)
        by_stream: dict[str, list[NewEvent]] = {}
        for told in some:
            new = NewEvent(event_id=new_event_id(), event=told.event, occurred_at=moment, metadata=ME)
            by_stream.setdefault(told.stream, []).append(new)
        log.append(
            *(
                Write(stream=Stream(stream), expected_version=versions.get(stream, 0), events=tuple(new))
                for stream, new in by_stream.items()
            )
        )
        for stream, new in by_stream.items():
            versions[stream] = versions.get(stream, 0) + len(new)


def _all(chance: random.Random) -> Iterator[Told]:
    """Without an end."""
    number = 0
    going: list[Iterator[Told]] = []
    while True:
        while len(going) < AT_A_TIME:
            going.append(_life(number, chance))
            number += 1
        for each in list(going):
            some = list(islice(each, 10))
            yield from some
            if not some:
                going.remove(each)


def _life(number: int, chance: random.Random) -> Iterator[Told]:
    run_id, experiment_id, dataset_id = f"{number:032x}", f"e{number // 10:031x}", f"d{number // 5:063x}"
    yield from _surroundings(number, experiment_id, dataset_id)
    stream, telemetry = f"run-{run_id}", f"telemetry-{run_id}-1"
    values = {"lr": 10 ** chance.uniform(-5, -2), "seed": number, "model": {"width": 64, "depth": 4}}
    spec = RunSpec(recipe="lm", version=1, digest="d" * 64, values=values)
    yield Told(
        stream,
        run.RunRequested(
            experiment_id=ExperimentId(experiment_id),
            name=f"run {number}",
            spec=spec,
            tags={"team": "nlp", "number": str(number % 100)},
            requested_by="bench",
        ),
    )
    yield Told(stream, run.RunStarted(attempt=1, worker="w", epoch=1))
    versions = {"jax": "0.10.2", "flax": "0.12.8", "python": "3.12.1"}
    yield Told(stream, run.RunEnvironmentRecorded(attempt=1, versions=versions, devices=("cpu",)))
    yield Told(stream, run.RunParamsRecorded(params={"data.items": 1_000, "data.kind": "text"}))
    version = 0
    for each in range(ROUNDS):
        batches = BATCHES // ROUNDS + (each < BATCHES % ROUNDS)
        for _ in range(batches):
            yield Told(telemetry, _batch(version, chance))
            version += 1
        yield Told(
            telemetry, LogsRecorded(start=each * 4_096, size_bytes=4_096, digest=Digest(f"{each:064x}"))
        )
        version += 1
        if each < 6:
            covers = Covers(version=version - 1, offset=STEPS * len(KEYS))
            yield from _checkpoint(number, each, covers, chance)
    yield Told(stream, run.RunTagged(added={"best": "yes"}, removed=("number",)))
    yield Told(stream, run.RunCompleted(attempt=1, step=version * STEPS, metrics={"train/loss": 0.5}))


def _surroundings(number: int, experiment_id: str, dataset_id: str) -> Iterator[Told]:
    if number % 10 == 0:
        yield Told(
            f"experiment-{experiment_id}", experiment.ExperimentCreated(name=f"e {number}", description="")
        )
    if number % 5 == 0:
        source = dataset.Generated(generator="arithmetic", options={"seed": number})
        made = dataset.DatasetRegistered(name="sums", format="traces", items=9, size_bytes=99, source=source)
        yield Told(f"dataset-{dataset_id}", made)
        yield Told(f"dataset-{dataset_id}", dataset.DatasetDescribed(description="made for a benchmark"))
    if number % 50 == 0:
        defined = benchmark.BenchmarkDefined(
            name="held out",
            dataset=Digest(dataset_id),
            scorer="exact_match",
            scorer_version=1,
            direction="maximize",
        )
        yield Told(f"benchmark-b{number // 50}", defined)


def _checkpoint(number: int, at: int, covers: Covers, chance: random.Random) -> Iterator[Told]:
    run_id, digest = f"{number:032x}", Digest(f"{number:060x}{at:04x}")
    stream, step = f"run-{run_id}", covers.version * STEPS
    yield Told(
        stream,
        run.RunCheckpointed(
            attempt=1, step=step, digest=digest, size_bytes=9, loss=chance.random(), covers=covers
        ),
    )
    if at >= 4:
        return
    yield Told(
        stream, run.RunArtifactRecorded(attempt=1, path=f"sample-{at}.txt", digest=digest, size_bytes=9)
    )
    evaluation_id, benchmark_id = f"v{number:x}-{at}", f"b{number // 50}"
    scores = (Score(name="exact_match", value=chance.random(), low=0.1, high=0.9, count=100),)
    for event in (
        evaluation.EvaluationRequested(
            run_id=run_id, step=step, checkpoint=digest, benchmark_id=benchmark_id, requested_by="bench"
        ),
        evaluation.EvaluationStarted(attempt=1, worker="w", epoch=1),
        evaluation.EvaluationCompleted(attempt=1, scores=scores, predictions=digest, items=100),
    ):
        yield Told(f"evaluation-{evaluation_id}", event)
    yield Told(
        stream,
        run.RunEvaluated(
            attempt=1, step=step, benchmark_id=benchmark_id, evaluation_id=evaluation_id, scores=scores
        ),
    )


_KEY_INDEX = np.tile(np.arange(len(KEYS), dtype="<u2"), STEPS).tobytes()
_VALUES = np.random.default_rng(7).normal(size=4_096).astype("<f8")


def _batch(version: int, chance: random.Random) -> MetricsRecorded:
    steps = np.repeat(np.arange(version * STEPS, (version + 1) * STEPS, dtype="<i8"), len(KEYS))
    at = chance.randrange(4_000)
    return MetricsRecorded(
        keys=KEYS,
        key_index=_KEY_INDEX,
        step=steps.tobytes(),
        time=(steps * 10_000 + 1_760_000_000_000_000).tobytes(),
        value=_VALUES[at : at + STEPS * len(KEYS)].tobytes(),
    )
