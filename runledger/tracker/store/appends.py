"""What an append is, and how its events chain on to their streams. No database here.

An append is all or nothing: events for one or several streams, perhaps under a fence. Payloads are
encoded, and texts checked, in the thread of the caller.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import msgspec

from runledger.tracker import events
from runledger.tracker.envelope import (
    GENESIS,
    Fence,
    Write,
    hash_about,
    hash_event,
    hash_head,
    to_micros,
)
from runledger.tracker.errors import BadInput, Fenced, WrongExpectedVersion


class Tip(NamedTuple):
    """The end of a stream: its last version, and hash and id of that event."""

    version: int
    hash: bytes
    event_id: UUID | None = None


Tips = MutableMapping[str, Tip]


class Row(NamedTuple):
    """An event as it is stored, but for what the log gives it: position and `recorded_at`."""

    stream: str
    version: int
    event_id: UUID
    type: str
    schema: int
    occurred_at: int
    actor: str
    correlation_id: str | None
    causation_id: str | None
    prev_hash: bytes
    hash: bytes
    payload: bytes


_new = tuple.__new__
"""`Row` and `Tip` themselves are functions in Python around this, and take twice as long."""


class Append(msgspec.Struct, frozen=True, gc=False):
    writes: tuple[Write, ...]
    payloads: tuple[tuple[bytes, ...], ...]
    fence: Fence | None
    size_bytes: int
    event_count: int
    first_version: int = 1
    """Of a stream that begins with this append."""

    @property
    def event_ids(self) -> list[UUID]:
        return [new.event_id for write in self.writes for new in write.events]

    @property
    def last_stream(self) -> str:
        return self.writes[-1].stream


def prepare(writes: Sequence[Write], fence: Fence | None) -> Append:
    """Raises `BadInput` for a text that no database could keep, ValueError where there is no event.

    And `Fenced` for an epoch that no lease could be in.
    """
    payloads: list[tuple[bytes, ...]] = []
    size_bytes = event_count = 0
    if fence is not None:
        _check_fence(fence)
    for write in writes:
        if not write.events:
            break
        _check_texts(write)
        encoded = write.payloads or tuple([events.encode(new.event) for new in write.events])
        payloads.append(encoded)
        event_count += len(encoded)
        size_bytes += sum(map(len, encoded))
    if not writes or len(payloads) < len(writes):
        raise ValueError("an append holds at least one event in each of its writes")
    return Append(tuple(writes), tuple(payloads), fence, size_bytes, event_count)


def chain(log_id: str, append: Append, tips: Tips) -> list[Row]:
    """The rows of `append`, each hashed on to its predecessor; moves `tips` on.

    `tips` holds the end of every stream concerned, but for empty ones. Raises `WrongExpectedVersion`, and
    leaves `tips` alone then.
    """
    moved: dict[str, Tip] = {}
    rows: list[Row] = []
    for write, payloads in zip(append.writes, append.payloads, strict=True):
        stream = write.stream
        tip = moved.get(stream) or tips.get(stream) or (append.first_version - 1, GENESIS, None)
        version, digest, last_id = tip
        follows = write.follows or last_id
        if version != write.expected_version or (follows is not last_id and follows != last_id):
            raise WrongExpectedVersion(stream, write.expected_version, version)
        moved[stream] = _chain_write(log_id, write, payloads, digest, rows)
    tips.update(moved)
    return rows


def _chain_write(
    log_id: str, write: Write, payloads: Sequence[bytes], prev_hash: bytes, rows: list[Row]
) -> Tip:
    """Adds to `rows`; the stream's new end."""
    stream, version = write.stream, write.expected_version
    head = hash_head(log_id, stream)
    kind, at, who = None, None, None
    for new, payload in zip(write.events, payloads, strict=True):
        version += 1
        event = new.event
        if not (type(event) is kind and new.occurred_at is at and new.metadata is who):
            kind, at, who = type(event), new.occurred_at, new.metadata
            occurred_at = to_micros(at)
            about = hash_about(event.tag, event.schema, occurred_at, who)
        event_id = new.event_id
        digest = hash_event(head, version, event_id, about, payload, prev_hash)
        fields = (
            stream,
            version,
            event_id,
            event.tag,
            event.schema,
            occurred_at,
            who.actor,
            who.correlation_id or None,
            who.causation_id or None,
            prev_hash,
            digest,
            payload,
        )
        rows.append(_new(Row, fields))
        prev_hash = digest
    return _new(Tip, (version, prev_hash, event_id))


def _check_fence(fence: Fence) -> None:
    _check_text("stream", fence.stream)
    if not 0 <= fence.epoch < 2**63:
        raise Fenced(fence.stream, fence.epoch)


def _check_texts(write: Write) -> None:
    checked = None
    for new in write.events:
        if new.metadata is not checked:
            checked = new.metadata
            _check_all(write.stream, checked.actor, checked.correlation_id, checked.causation_id)


@lru_cache(maxsize=4_096)
def _check_all(stream: str, actor: str, correlation_id: str | None, causation_id: str | None) -> None:
    _check_text("stream", stream)
    _check_text("actor", actor)
    _check_text("correlation_id", correlation_id or "")
    _check_text("causation_id", causation_id or "")


@lru_cache(maxsize=4_096)
def _check_text(place: str, text: str) -> None:
    if "\0" in text:
        raise BadInput(place, "holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        raise BadInput(place, "is not valid Unicode") from problem
