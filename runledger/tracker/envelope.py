"""An event and what surrounds it: who, when, why, and the hash that chains it to its stream.

`NewEvent` is what a writer hands in, `Recorded` what a reader gets back. The hash covers every field
that the writer knows and the previous hash of the stream; position and `recorded_at` are given by the
log afterwards and are covered by the seal.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from uuid import UUID

import msgspec

from runledger.tracker import events
from runledger.tracker.errors import UnknownEvent
from runledger.tracker.events.base import Event
from runledger.tracker.ids import Stream

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
GENESIS = bytes(32)
"""`prev_hash` of a stream's first event."""
HASH_DOMAIN = b"runledger.event.v1"

_LENGTH = struct.Struct("<q")
_PLACE = struct.Struct("<qqq16s")
_SHAPE = struct.Struct("<qqqq")


class Metadata(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who caused an event, and what it belongs to."""

    actor: str
    correlation_id: str | None = None
    causation_id: str | None = None


class NewEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    event_id: UUID
    event: Event
    occurred_at: datetime
    metadata: Metadata


class Write(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Events for one stream, to follow directly on `expected_version` (0: the stream is new)."""

    stream: Stream
    expected_version: int
    events: tuple[NewEvent, ...]
    follows: UUID | None = None
    """The event at `expected_version`, for whoever knows it: refused where another stands there."""
    payloads: tuple[bytes, ...] = ()
    """The events encoded, by whoever has done so already; else the log does it."""


class Fence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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
        try:
            return events.decode(self.type, self.schema, self.payload)
        except UnknownEvent as unknown:
            raise UnknownEvent(unknown.tag, unknown.schema, self.position) from None


def to_micros(moment: datetime) -> int:
    """µs since 1970 UTC; exact, where `timestamp()` would round."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def chain_hash(
    log_id: str, write: Write, offset: int, schema: int, payload: bytes, prev_hash: bytes
) -> bytes:
    """SHA-256 over the log's id and the `offset`-th event of `write`, each field length-prefixed."""
    new = write.events[offset]
    about = hash_about(new.event.tag, schema, to_micros(new.occurred_at), new.metadata)
    version = write.expected_version + 1 + offset
    return hash_event(hash_head(log_id, write.stream), version, new.event_id, about, payload, prev_hash)


@lru_cache(maxsize=4_096)
def hash_head(log_id: str, stream: str) -> bytes:
    """What the hashes of a stream's events begin with."""
    return HASH_DOMAIN + _prefixed(log_id) + _prefixed(stream)


def hash_about(tag: str, schema: int, occurred_at: int, metadata: Metadata) -> bytes:
    """What the hashes of events that are appended together often share; `occurred_at` in µs."""
    who = _who(metadata.actor, metadata.correlation_id or "", metadata.causation_id or "")
    return _prefixed(tag) + _SHAPE.pack(8, schema, 8, occurred_at) + who


def hash_event(
    head: bytes, version: int, event_id: UUID, about: bytes, payload: bytes, prev_hash: bytes
) -> bytes:
    """`chain_hash` for what is laid out already: a log hashes everything that it takes in."""
    place = _PLACE.pack(8, version, 16, event_id.int.to_bytes(16, "big"))
    length, prev_length = _LENGTH.pack(len(payload)), _LENGTH.pack(len(prev_hash))
    return sha256(b"".join((head, place, about, length, payload, prev_length, prev_hash))).digest()


@lru_cache(maxsize=4_096)
def _who(actor: str, correlation_id: str, causation_id: str) -> bytes:
    return _prefixed(actor) + _prefixed(correlation_id) + _prefixed(causation_id)


@lru_cache(maxsize=1_024)
def _prefixed(text: str) -> bytes:
    encoded = text.encode()
    return _LENGTH.pack(len(encoded)) + encoded
