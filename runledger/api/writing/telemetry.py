"""Batches of points and bytes of output of an attempt: each once, in order, fenced where that can be.

How far each attempt is, is remembered, so that a batch costs one append and no question. The memory is
only a guess: what decides is the append, which names the version that it follows on. Whatever does not
fit is looked up anew before it is refused.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

from litestar.concurrency import sync_to_thread
from msgspec.structs import replace

from runledger.api.answers import BatchTaken, TelemetryPlace, Written
from runledger.api.backend import Backend
from runledger.api.batches import Batch
from runledger.api.errors import NotNext
from runledger.api.reading.attempts import telemetry_place
from runledger.api.writing.attempts import REMEMBERED, Place, check_may_arrive, check_started
from runledger.tracker.envelope import Metadata, NewEvent, Recorded, Write
from runledger.tracker.errors import Fenced, WrongExpectedVersion
from runledger.tracker.events.telemetry import LogsRecorded, TelemetryEvent
from runledger.tracker.ids import batch_event_id, output_event_id
from runledger.tracker.store import leases

TRIES = 8
"""How often what others have overtaken is appended anew."""


async def take_batch(backend: Backend, place: Place, batch: Batch, metadata: Metadata) -> BatchTaken:
    """Committed when it returns; the same batch again gives the same answer.

    Raises `NotNext` with how far the attempt is, what `check_started` and `check_may_arrive` raise,
    `StoreBusy` and `StoreUnavailable`.
    """
    new = _new(batch_event_id(place.run_id, place.attempt, batch.number), batch.event, metadata)
    before = backend.told.get(_key(place))
    if before is None or not _follows(batch, before):
        before = await sync_to_thread(_look, backend, place)
    for _ in range(TRIES):
        if batch.number <= before.batches:
            return await sync_to_thread(_taken_before, backend, place, batch.number, new)
        if not _follows(batch, before):
            break
        try:
            position = await _append(backend, place, before.version, new)
        except WrongExpectedVersion:
            before = await sync_to_thread(_look, backend, place)
        else:
            taken = BatchTaken(version=before.version + 1, batch=batch.number, position=position)
            _remember(backend, place, replace(before, version=taken.version, batches=batch.number))
            return taken
    raise NotNext(f"batch {batch.number}", before)


async def take_output(backend: Backend, place: Place, start: int, data: bytes, metadata: Metadata) -> Written:
    """As `take_batch`; the bytes lie in a blob before the event that names them is appended."""
    digest = await sync_to_thread(backend.blobs.put_bytes, data)
    event = LogsRecorded(start=start, size_bytes=len(data), digest=digest)
    new = _new(output_event_id(place.run_id, place.attempt, start), event, metadata)
    before = backend.told.get(_key(place))
    if before is None or start != before.output_bytes:
        before = await sync_to_thread(_look, backend, place)
    for _ in range(TRIES):
        if start < before.output_bytes:
            return await sync_to_thread(_output_before, backend, place, new)
        if start > before.output_bytes:
            break
        try:
            position = await _append(backend, place, before.version, new)
        except WrongExpectedVersion:
            before = await sync_to_thread(_look, backend, place)
        else:
            version, end = before.version + 1, start + len(data)
            _remember(backend, place, replace(before, version=version, output_bytes=end))
            return Written(position=position, version=version)
    raise NotNext(f"output from {start} on", before)


def _new(event_id: UUID, event: TelemetryEvent, metadata: Metadata) -> NewEvent:
    return NewEvent(event_id=event_id, event=event, occurred_at=datetime.now(UTC), metadata=metadata)


def _follows(batch: Batch, before: TelemetryPlace) -> bool:
    is_at = batch.version is None or batch.version == before.version
    return is_at and batch.number == before.batches + 1


async def _append(backend: Backend, place: Place, version: int, new: NewEvent) -> int:
    """Under the lease, or as the late telemetry of an attempt that was lost."""
    write = Write(stream=place.telemetry, expected_version=version, events=(new,))
    try:
        return await asyncio.wrap_future(backend.log.append_soon(write, fence=place.fence, room_seconds=0))
    except Fenced:
        await sync_to_thread(check_may_arrive, backend, place)
        return await asyncio.wrap_future(backend.log.append_soon(write, room_seconds=0))


def _look(backend: Backend, place: Place) -> TelemetryPlace:
    """How far the attempt is by the log, for what may be told of it at all."""
    check_started(backend, place)
    _check_epoch(backend, place)
    found = telemetry_place(backend, place.run_id, place.attempt)
    _remember(backend, place, found)
    return found


def _check_epoch(backend: Backend, place: Place) -> None:
    """The epoch of a later attempt is none of this one's."""
    with backend.rows() as conn:
        lease = leases.get(conn, place.stream)
    if lease is not None and lease.epoch == place.epoch and lease.attempt != place.attempt:
        check_may_arrive(backend, place)


def _remember(backend: Backend, place: Place, told: TelemetryPlace) -> None:
    """The newest that is known. Those who write least recently are forgotten first."""
    before = backend.told.pop(_key(place), told)
    backend.told[_key(place)] = told if told.version >= before.version else before
    while len(backend.told) > REMEMBERED:
        del backend.told[next(iter(backend.told))]


def _key(place: Place) -> tuple[str, int, int]:
    return place.run_id, place.attempt, place.epoch


def _taken_before(backend: Backend, place: Place, number: int, new: NewEvent) -> BatchTaken:
    found = _told_before(backend, place, new)
    return BatchTaken(version=found.version, batch=number, position=found.position)


def _output_before(backend: Backend, place: Place, new: NewEvent) -> Written:
    """Raises `NotNext` where the output was cut otherwise."""
    found = _told_before(backend, place, new)
    if found.event != new.event:
        raise NotNext("output that is there already, and longer or shorter", _look(backend, place))
    return Written(position=found.position, version=found.version)


def _told_before(backend: Backend, place: Place, new: NewEvent) -> Recorded:
    """What the log has under the id of this event. Raises `NotNext` where it has nothing."""
    found = backend.log.event(new.event_id)
    if found is None:
        raise NotNext("what begins within what is there already", _look(backend, place))
    return found
