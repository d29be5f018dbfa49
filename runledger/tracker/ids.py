"""Identifiers and the names of streams.

A stream is one aggregate's events. Its name is the kind, a dash and the id; the id never contains
white space, and only telemetry streams carry two ids (`telemetry-<run>-<attempt>`).
"""

from __future__ import annotations

import os
import random
import time
import uuid
from typing import NewType

import msgspec

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


TELEMETRY = uuid.UUID("6f0d4a6e-5d0f-5b1c-9d57-3f6c1c1f0b7a")
"""Namespace of the ids of telemetry. Permanent."""


def new_id() -> str:
    """A fresh 32-digit hexadecimal id, usable for any aggregate."""
    return uuid.uuid4().hex


_VERSION_7 = 0x7 << 76 | 0b10 << 62
_RANDOM = ~(0xF << 76 | 0b11 << 62)
_chance = random.Random()
os.register_at_fork(after_in_child=_chance.seed)
_read_uuid = msgspec.msgpack.Decoder(uuid.UUID).decode
_BYTES_16 = b"\xc4\x10"
"""What stands before 16 bytes in MessagePack. `UUID` itself takes longer than the rest of an event id."""


def new_event_id() -> uuid.UUID:
    """Of version 7 (RFC 9562): in the order of time, so that the index on them grows at its end."""
    number = time.time_ns() // 1_000_000 << 80 | _VERSION_7 | _chance.getrandbits(80) & _RANDOM
    return _read_uuid(_BYTES_16 + number.to_bytes(16, "big"))


def batch_event_id(run_id: RunId, attempt: int, number: int) -> uuid.UUID:
    """Of the `number`-th batch of an attempt: whoever tells it again gives it the same id."""
    return uuid.uuid5(TELEMETRY, f"{run_id}/{attempt}/mark:{number}")


def output_event_id(run_id: RunId, attempt: int, start: int) -> uuid.UUID:
    """Of the bytes from `start` on of an attempt's output, likewise."""
    return uuid.uuid5(TELEMETRY, f"{run_id}/{attempt}/output:{start}")


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


def log_stream(log_id: str) -> Stream:
    return Stream(f"log-{log_id}")


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
