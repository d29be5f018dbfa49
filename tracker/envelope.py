"""An event and what surrounds it: who, when, why, and the hash that chains it to its stream.

`NewEvent` is what a writer hands in, `Recorded` what a reader gets back. The hash covers every field
that the writer knows and the previous hash of the stream; position and `recorded_at` are given by the
log afterwards and are covered by the seal.
"""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from tracker import events
from tracker.events.base import Event
from tracker.ids import Stream

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GENESIS = bytes(32)
"""`prev_hash` of a stream's first event."""


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """Who caused an event, and what it belongs to."""

    actor: str
    correlation_id: str | None = None
    causation_id: str | None = None


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    event_id: UUID
    event: Event
    occurred_at: datetime
    metadata: Metadata


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """Events for one stream, to follow directly on `expected_version` (0: the stream is new)."""

    stream: Stream
    expected_version: int
    events: tuple[NewEvent, ...]


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """Appended only if the lease on `stream` is still held in this epoch, checked in the same transaction."""

    stream: Stream
    epoch: int


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the log. Versions and positions count from 1."""

    position: int
    stream: Stream
    version: int
    event_id: UUID
    type: str
    schema: int
    recorded_at: datetime
    occurred_at: datetime
    actor: str
    correlation_id: str | None
    causation_id: str | None
    payload: bytes
    prev_hash: bytes
    hash: bytes

    @property
    def event(self) -> Event:
        """The decoded payload, upcast to today's schema. Raises `UnknownEvent`."""
        return events.decode(self.type, self.schema, self.payload)


def to_micros(moment: datetime) -> int:
    """µs since 1970 UTC; exact, where `timestamp()` would round."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def chain_hash(
    log_id: str, write: Write, offset: int, schema: int, payload: bytes, prev_hash: bytes
) -> bytes:
    """SHA-256 over the log's id and the `offset`-th event of `write`, each field length-prefixed."""
    new = write.events[offset]
    fields = (
        log_id.encode(),
        write.stream.encode(),
        struct.pack("<q", write.expected_version + 1 + offset),
        new.event_id.bytes,
        new.event.tag.encode(),
        struct.pack("<q", schema),
        struct.pack("<q", to_micros(new.occurred_at)),
        new.metadata.actor.encode(),
        (new.metadata.correlation_id or "").encode(),
        (new.metadata.causation_id or "").encode(),
        payload,
        prev_hash,
    )
    digest = hashlib.sha256(b"runledger.event.v1")
    for field in fields:
        digest.update(struct.pack("<q", len(field)))
        digest.update(field)
    return digest.digest()
