"""A story: real events appended through the real log, and the projections run over them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, select

from runledger.projections.builds import reading
from runledger.projections.catalogue import PROJECTIONS
from runledger.projections.metrics import segments, tables
from runledger.projections.runner import Runner
from runledger.tracker.envelope import Metadata, NewEvent, Write
from runledger.tracker.events.base import Covers, Event, ResumePoint
from runledger.tracker.events.run import RunCheckpointed, RunRequested, RunStarted
from runledger.tracker.events.telemetry import MetricsRecorded
from runledger.tracker.ids import Digest, RunId, Stream, run_stream, telemetry_stream
from runledger.tracker.spec import RunSpec
from runledger.tracker.store.log import Log

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

Point = tuple[str, int, float]


class Story:
    """Appends events and keeps count of the versions of the streams."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self._versions: dict[str, int] = {}

    def tell(self, stream: str, *events: Event, actor: str = "api:local") -> int:
        """Appends; the position of the last event."""
        before = self._versions.get(stream, 0)
        self._versions[stream] = before + len(events)
        new = tuple(
            NewEvent(event_id=uuid.uuid4(), event=event, occurred_at=NOW, metadata=Metadata(actor=actor))
            for event in events
        )
        return self.log.append(Write(stream=Stream(stream), expected_version=before, events=new))

    def version(self, stream: str) -> int:
        return self._versions.get(stream, 0)

    def run(self, run_id: str, *events: Event) -> int:
        return self.tell(run_stream(RunId(run_id)), *events)

    def metrics(self, run_id: str, attempt: int, *points: Point) -> int:
        """One batch. The time of a point is its step in seconds since 1970."""
        return self.tell(telemetry_stream(RunId(run_id), attempt), batch(*points))


def batch(*points: Point) -> MetricsRecorded:
    keys = tuple(dict.fromkeys(key for key, _, _ in points))
    steps = np.array([step for _, step, _ in points], "<i8")
    return MetricsRecorded(
        keys=keys,
        key_index=np.array([keys.index(key) for key, _, _ in points], "<u2").tobytes(),
        step=steps.tobytes(),
        time=(steps * 1_000_000).tobytes(),
        value=np.array([value for _, _, value in points], "<f8").tobytes(),
    )


def requested(name: str = "a run", experiment: str = "e1", **more: Any) -> RunRequested:
    spec = RunSpec(recipe="lm", version=1, digest="d" * 64, values={"seed": 7, "model": {"width": 64}})
    return RunRequested(
        **({"experiment_id": experiment, "name": name, "spec": spec, "requested_by": "api:local"} | more)
    )


def started(attempt: int = 1, resumed_from: ResumePoint | None = None) -> RunStarted:
    return RunStarted(attempt=attempt, worker="w1", epoch=attempt, resumed_from=resumed_from)


def checkpointed(step: int, covers: tuple[int, int], attempt: int = 1, digest: str = "") -> RunCheckpointed:
    return RunCheckpointed(
        attempt=attempt,
        step=step,
        digest=Digest(digest or f"c{attempt}-{step}"),
        size_bytes=10,
        covers=Covers(version=covers[0], offset=covers[1]),
    )


def resume(step: int, attempt: int = 1, digest: str = "") -> ResumePoint:
    return ResumePoint(attempt=attempt, step=step, digest=Digest(digest or f"c{attempt}-{step}"))


def rows_of(views: Engine) -> dict[str, list[str]]:
    """Every row of every projection, comparable: NaN equals NaN."""
    with reading(views) as conn:
        return {
            table.name: sorted(repr(tuple(row)) for row in conn.execute(select(table)))
            for projection in PROJECTIONS
            for table in projection.tables
        }


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that short stories, too, have blocks that are cut into segments."""
    monkeypatch.setattr(tables, "BLOCK_VERSIONS", 3)
    monkeypatch.setattr(segments, "SEGMENT_POINTS", 4)


@pytest.fixture
def story(log: Log) -> Story:
    return Story(log)


@pytest.fixture
def conn(views: Engine) -> Iterator[Connection]:
    """Reads the views. What it sees is as of its first question since the last `catch_up`."""
    with views.connect() as conn:
        yield conn


@pytest.fixture
def catch_up(log: Log, views: Engine, conn: Connection) -> Callable[[], None]:
    """Brings all projections up to date."""

    def run() -> None:
        conn.rollback()
        Runner(log, views).catch_up()

    return run
