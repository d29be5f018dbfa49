"""Identifiers and the names of streams.

A stream is one aggregate's events. Its name is the kind, a dash and the id; the id never contains
white space, and only telemetry streams carry two ids (`telemetry-<run>-<attempt>`).
"""

from __future__ import annotations

import uuid
from typing import NewType

RunId = NewType("RunId", str)
ExperimentId = NewType("ExperimentId", str)
BenchmarkId = NewType("BenchmarkId", str)
EvaluationId = NewType("EvaluationId", str)
ModelId = NewType("ModelId", str)
SweepId = NewType("SweepId", str)
WorkerId = NewType("WorkerId", str)
Digest = NewType("Digest", str)
"""Lower-case hexadecimal SHA-256 of some bytes; names a blob or a dataset."""
Stream = NewType("Stream", str)


def new_id() -> str:
    """A fresh 32-digit hexadecimal id, usable for any aggregate."""
    return uuid.uuid4().hex


def run_stream(run_id: RunId) -> Stream:
    return Stream(f"run-{run_id}")


def telemetry_stream(run_id: RunId, attempt: int) -> Stream:
    return Stream(f"telemetry-{run_id}-{attempt}")


def experiment_stream(experiment_id: ExperimentId) -> Stream:
    return Stream(f"experiment-{experiment_id}")


def dataset_stream(digest: Digest) -> Stream:
    return Stream(f"dataset-{digest}")


def benchmark_stream(benchmark_id: BenchmarkId) -> Stream:
    return Stream(f"benchmark-{benchmark_id}")


def evaluation_stream(evaluation_id: EvaluationId) -> Stream:
    return Stream(f"evaluation-{evaluation_id}")


def model_stream(model_id: ModelId) -> Stream:
    return Stream(f"model-{model_id}")


def sweep_stream(sweep_id: SweepId) -> Stream:
    return Stream(f"sweep-{sweep_id}")


def kind_of(stream: str) -> str:
    """The part before the first dash: `run`, `telemetry`, `experiment` …"""
    return stream.partition("-")[0]


def id_of(stream: str) -> str:
    """The part after the first dash. Of a telemetry stream: use `telemetry_ids`."""
    return stream.partition("-")[2]


def telemetry_ids(stream: str) -> tuple[RunId, int]:
    """The run and the attempt of a telemetry stream."""
    run_id, _, attempt = id_of(stream).rpartition("-")
    return RunId(run_id), int(attempt)
