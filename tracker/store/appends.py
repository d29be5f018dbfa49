"""What an append is, and how its events chain on to their streams. No database here.

An append is all or nothing: events for one or several streams, perhaps under a fence. Payloads are
encoded, and texts checked, in the thread of the caller.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import NamedTuple
from uuid import UUID

from tracker import events
from tracker.envelope import GENESIS, Fence, Write, chain_hash, to_micros
from tracker.errors import BadInput, WrongExpectedVersion


class Tip(NamedTuple):
    """The end of a stream: its last version and the hash of that event."""

    version: int
    hash: bytes


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


class Append(NamedTuple):
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
    """Raises `BadInput` for a text that no database could keep, ValueError where there is no event."""
    if not writes or not all(write.events for write in writes):
        raise ValueError("an append holds at least one event in each of its writes")
    for write in writes:
        _check_texts(write)
    payloads = tuple(tuple(events.encode(new.event) for new in write.events) for write in writes)
    size_bytes = sum(len(payload) for each in payloads for payload in each)
    return Append(tuple(writes), payloads, fence, size_bytes, sum(len(each) for each in payloads))


def chain(log_id: str, append: Append, tips: Tips) -> list[Row]:
    """The rows of `append`, each hashed on to its predecessor; moves `tips` on.

    `tips` holds the end of every stream concerned, but for empty ones. Raises `WrongExpectedVersion`, and
    leaves `tips` alone then.
    """
    moved: dict[str, Tip] = {}
    rows: list[Row] = []
    empty = Tip(append.first_version - 1, GENESIS)
    for write, payloads in zip(append.writes, append.payloads, strict=True):
        tip = moved.get(write.stream) or tips.get(write.stream, empty)
        if tip.version != write.expected_version:
            raise WrongExpectedVersion(write.stream, write.expected_version, tip.version)
        rows += _chain_write(log_id, write, payloads, tip.hash)
        moved[write.stream] = Tip(rows[-1].version, rows[-1].hash)
    tips.update(moved)
    return rows


def _chain_write(log_id: str, write: Write, payloads: Sequence[bytes], prev_hash: bytes) -> list[Row]:
    rows: list[Row] = []
    for offset, (new, payload) in enumerate(zip(write.events, payloads, strict=True)):
        digest = chain_hash(log_id, write, offset, new.event.schema, payload, prev_hash)
        rows.append(
            Row(
                stream=write.stream,
                version=write.expected_version + 1 + offset,
                event_id=new.event_id,
                type=new.event.tag,
                schema=new.event.schema,
                occurred_at=to_micros(new.occurred_at),
                actor=new.metadata.actor,
                correlation_id=new.metadata.correlation_id,
                causation_id=new.metadata.causation_id,
                prev_hash=prev_hash,
                hash=digest,
                payload=payload,
            )
        )
        prev_hash = digest
    return rows


def _check_texts(write: Write) -> None:
    _check_text("stream", write.stream)
    for new in write.events:
        _check_text("actor", new.metadata.actor)
        _check_text("correlation_id", new.metadata.correlation_id or "")
        _check_text("causation_id", new.metadata.causation_id or "")


def _check_text(place: str, text: str) -> None:
    if "\0" in text:
        raise BadInput(place, "holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        raise BadInput(place, "is not valid Unicode") from problem
