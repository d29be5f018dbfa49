"""A sink of the older release: it stops before what it cannot read, says so, and waits for a newer one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import ClassVar
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from runledger.projections.mlflow import process
from runledger.projections.mlflow import state as mlflow_state
from runledger.projections.mlflow.driver import RUN_TAG
from runledger.projections.mlflow.memory import MemoryMlflow
from runledger.projections.mlflow.process import serve
from runledger.projections.mlflow.state import CURSOR, SinkStatus
from runledger.projections.tables import cursors
from runledger.tracker.blobs import Blobs
from runledger.tracker.envelope import Metadata, NewEvent, Write
from runledger.tracker.events.base import Event
from runledger.tracker.ids import RunId, run_stream
from runledger.tracker.store.cursors import advance
from runledger.tracker.store.engine import read, write
from runledger.tracker.store.log import Log
from tests.projections.mlflow.conftest import QUICK, SETTINGS, Story, wait_until


class RunPolished(Event, frozen=True, kw_only=True):
    """Of a later release."""

    tag: ClassVar[str] = "RunPolished"


@contextmanager
def serving(log: Log, views: Engine, blobs: Blobs, mlflow: MemoryMlflow) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(log.engine, views, blobs, mlflow, SETTINGS, stop, QUICK))
    thread.start()
    yield
    stop.set()
    thread.join(timeout=30)
    assert not thread.is_alive()


def polish(log: Log, run_id: str) -> int:
    stream = run_stream(RunId(run_id))
    new = NewEvent(
        event_id=uuid4(),
        event=RunPolished(),
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
        metadata=Metadata(actor="api:newer"),
    )
    version = log.read(stream)[-1].version
    return log.append(Write(stream=stream, expected_version=version, events=(new,)))


def status(views: Engine) -> SinkStatus:
    with read(views) as conn:
        return mlflow_state.status(conn)


def test_it_is_named_in_health_until_a_newer_sink_has_passed(
    story: Story, log: Log, views: Engine, blobs: Blobs, mlflow: MemoryMlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LONGEST_WAIT_SECONDS", 0.02)
    run_id = story.request()
    unread = polish(log, run_id)
    said = f"unknown event RunPolished schema 1 at position {unread}: a newer version wrote it?"

    with serving(log, views, blobs, mlflow):
        wait_until(lambda: status(views).problem == said, 30)
        told = {status(views).problem for _ in range(100)}
        assert told == {said}
        assert status(views).position < unread

        with write(views) as conn:
            advance(conn, cursors, CURSOR, status(views).position, unread)
        later = story.request()
        wait_until(lambda: status(views).position == log.head(), 30)

    assert status(views).problem == ""
    assert later in {run.tags[RUN_TAG] for run in mlflow.runs.values()}
