"""One tailer for all who watch: every event once and in order, whoever comes late, falls behind or goes."""

from __future__ import annotations

import asyncio
import json
import math
import struct
import threading
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from runledger.api import hub as hubs
from runledger.api.hub import Filter, Hub
from runledger.tracker.envelope import Metadata, NewEvent, Recorded, Write
from runledger.tracker.errors import StoreUnavailable
from runledger.tracker.events.base import Event
from runledger.tracker.events.experiment import ExperimentCreated
from runledger.tracker.events.run import RunNoted
from runledger.tracker.events.telemetry import MetricsRecorded
from runledger.tracker.ids import Stream
from runledger.tracker.store.log import Log, Page

ALL = Filter({"experiment", "run"}, None)
PATIENCE_SECONDS = 20


def tell(log: Log, stream: str, *events: Event, after: int = 0) -> int:
    new = tuple(
        NewEvent(
            event_id=uuid.uuid4(), event=event, occurred_at=datetime.now(UTC), metadata=Metadata(actor="x")
        )
        for event in events
    )
    return log.append(Write(stream=Stream(stream), expected_version=after, events=new))


def tell_many(log: Log, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        tell(log, f"experiment-{number}", ExperimentCreated(name=str(number)))


async def take(chunks: AsyncIterator[bytes], count: int) -> list[dict[str, Any]]:
    """The data of the next `count` events."""
    events: list[dict[str, Any]] = []

    async def collect() -> None:
        async for chunk in chunks:
            events.extend(parse(chunk))
            if len(events) >= count:
                return

    await asyncio.wait_for(collect(), PATIENCE_SECONDS)
    return events


def parse(chunk: bytes) -> list[dict[str, Any]]:
    found = []
    for block in chunk.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            data = json.loads(fields["data"])
            assert fields["id"] == str(data["position"])
            assert fields["event"] == data["type"]
            found.append(data)
    return found


def positions(events: list[dict[str, Any]]) -> list[int]:
    return [event["position"] for event in events]


async def test_what_happens_is_sent_to_every_viewer_and_encoded_once(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    encode = hubs.frame
    monkeypatch.setattr(
        hubs, "frame", lambda recorded: (encoded.append(recorded.position), encode(recorded))[1]
    )
    hub = Hub(log)
    viewers = [hub.watch(ALL, 0) for _ in range(20)]
    for viewer in viewers:
        await anext(viewer)
    tell_many(log, 3)
    seen = await asyncio.gather(*(take(viewer, 3) for viewer in viewers))
    assert [positions(events) for events in seen] == [[1, 2, 3]] * 20
    assert encoded == [1, 2, 3]
    hub.close()


async def test_a_viewer_that_comes_back_goes_on_after_its_last_event(log: Log) -> None:
    tell_many(log, 5)
    hub = Hub(log)
    viewer = hub.watch(ALL, 2)
    assert positions(await take(viewer, 3)) == [3, 4, 5]
    tell_many(log, 1, first=5)
    assert positions(await take(viewer, 1)) == [6]
    hub.close()


async def test_a_new_viewer_sees_only_what_is_new(log: Log) -> None:
    tell_many(log, 5)
    hub = Hub(log)
    viewer = hub.watch(ALL, None)
    await anext(viewer)
    tell_many(log, 1, first=5)
    assert positions(await take(viewer, 1)) == [6]
    hub.close()


async def test_a_viewer_far_behind_reads_on_from_the_log(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "KEPT_EVENTS", 3)
    monkeypatch.setattr(hubs, "PAGE", 4)
    monkeypatch.setattr(hubs, "CATCH_UP_PAGE", 4)
    hub = Hub(log)
    slow, quick = hub.watch(ALL, 0), hub.watch(ALL, 0)
    await anext(slow)
    tell_many(log, 25)
    assert positions(await take(quick, 25)) == list(range(1, 26))
    assert positions(await take(slow, 25)) == list(range(1, 26))
    hub.close()


async def test_what_lies_far_behind_is_not_encoded_on_the_event_loop(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[threading.Thread] = set()
    encode = hubs.encode_fact

    def noting(recorded: Recorded) -> bytes:
        threads.add(threading.current_thread())
        return encode(recorded)

    monkeypatch.setattr(hubs, "encode_fact", noting)
    tell_many(log, 5)
    hub = Hub(log)

    assert positions(await take(hub.watch(ALL, 0), 5)) == [1, 2, 3, 4, 5]
    assert threads
    assert threading.main_thread() not in threads
    hub.close()


async def test_a_viewer_sees_only_what_it_asked_for(log: Log) -> None:
    hub = Hub(log)
    mine = hub.watch(Filter({"run", "telemetry"}, "mine"), 0)
    await anext(mine)
    tell(log, "run-mine", RunNoted(note="a"))
    tell(log, "run-theirs", RunNoted(note="b"))
    tell(log, "experiment-e", ExperimentCreated(name="c"))
    values = (math.nan, 1.0)
    batch = MetricsRecorded(
        keys=("loss",),
        key_index=bytes(4),
        step=struct.pack("<2q", 0, 1),
        time=struct.pack("<2q", 0, 1),
        value=struct.pack("<2d", *values),
    )
    tell(log, "telemetry-mine-1", batch)
    events = await take(mine, 2)
    assert [event["stream"] for event in events] == ["run-mine", "telemetry-mine-1"]
    assert events[1]["data"]["value"] == ["NaN", 1.0]
    hub.close()


async def test_bursts_are_sent_in_one_write(log: Log) -> None:
    hub = Hub(log)
    viewer = hub.watch(ALL, 0)
    await anext(viewer)
    tell(log, "run-a", *(RunNoted(note=str(number)) for number in range(200)))
    chunk = await asyncio.wait_for(anext(viewer), PATIENCE_SECONDS)
    assert len(parse(chunk)) == 200
    hub.close()


async def test_a_quiet_stream_is_kept_alive(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "KEEP_ALIVE_SECONDS", 0.3)
    hub = Hub(log)
    viewer = hub.watch(ALL, None)
    await anext(viewer)
    assert await asyncio.wait_for(anext(viewer), PATIENCE_SECONDS) == hubs.KEEP_ALIVE
    hub.close()


async def test_an_outage_of_the_database_is_waited_out(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(log)
    viewer = hub.watch(ALL, 0)
    await anext(viewer)
    failures = iter(range(3))
    tail = log.tail

    def failing(*args: Any, **options: Any) -> Page:
        if next(failures, None) is not None:
            raise StoreUnavailable("the log", "gone")
        return tail(*args, **options)

    monkeypatch.setattr(log, "tail", failing)
    tell_many(log, 1)
    assert positions(await take(viewer, 1)) == [1]
    hub.close()


async def test_the_tailer_rests_while_nobody_watches(log: Log) -> None:
    hub = Hub(log)
    viewer = hub.watch(ALL, None)
    await anext(viewer)
    tailer = hub.tailer
    assert tailer is not None
    await viewer.aclose()
    await asyncio.wait_for(tailer, PATIENCE_SECONDS)
    tell_many(log, 2)
    again = hub.watch(ALL, 1)
    assert positions(await take(again, 1)) == [2]
    hub.close()


async def test_closing_lets_every_viewer_go(log: Log) -> None:
    hub = Hub(log)
    viewers = [hub.watch(ALL, None) for _ in range(3)]
    for viewer in viewers:
        await anext(viewer)
    hub.close()
    for viewer in viewers:
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(viewer), PATIENCE_SECONDS)
