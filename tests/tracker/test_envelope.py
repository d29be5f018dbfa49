"""The hash that chains an event to its stream covers all that its writer knows."""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from runledger.tracker import events
from runledger.tracker.envelope import (
    EPOCH,
    GENESIS,
    Metadata,
    NewEvent,
    Write,
    chain_hash,
    from_micros,
    to_micros,
)
from runledger.tracker.events.run import RunHidden, RunNoted
from runledger.tracker.ids import Stream

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
NEW = NewEvent(
    event_id=UUID(int=1),
    event=RunNoted(note="good"),
    occurred_at=AT,
    metadata=Metadata(actor="me", correlation_id="c", causation_id="d"),
)
WRITE = Write(stream=Stream("run-1"), expected_version=4, events=(NEW,))


def hashed(write: Write = WRITE, log_id: str = "log", prev_hash: bytes = GENESIS, **options: Any) -> bytes:
    payload = options.get("payload", events.encode(write.events[0].event))
    return chain_hash(log_id, write, 0, options.get("schema", 1), payload, prev_hash)


def test_the_hash_of_a_known_event_stays_as_it_is() -> None:
    assert hashed().hex() == "e50b42bf7c5b6a57e883eec132106a52f2c3a9c9ac4e2c4b031d51041ee4525f"


@pytest.mark.parametrize(
    "other",
    [
        replace(NEW, event_id=UUID(int=2)),
        replace(NEW, event=RunHidden()),
        replace(NEW, occurred_at=AT + timedelta(microseconds=1)),
        replace(NEW, metadata=Metadata(actor="you", correlation_id="c", causation_id="d")),
        replace(NEW, metadata=Metadata(actor="me", correlation_id="x", causation_id="d")),
        replace(NEW, metadata=Metadata(actor="me", correlation_id="c", causation_id="x")),
        replace(NEW, metadata=Metadata(actor="me", correlation_id="cd", causation_id="")),
    ],
)
def test_another_event_has_another_hash(other: NewEvent) -> None:
    payload = events.encode(NEW.event)
    assert hashed(replace(WRITE, events=(other,)), payload=payload) != hashed()


def test_another_place_has_another_hash() -> None:
    others = {
        hashed(),
        hashed(replace(WRITE, stream=Stream("run-2"))),
        hashed(replace(WRITE, expected_version=5)),
        hashed(log_id="other"),
        hashed(prev_hash=hashed()),
        hashed(payload=b"\x80"),
        hashed(schema=2),
    }
    assert len(others) == 7


@given(st.text(max_size=20), st.text(max_size=20), st.none() | st.text(max_size=9), st.binary(max_size=99))
def test_the_hash_is_over_each_field_after_its_length(
    log_id: str, actor: str, correlation_id: str | None, payload: bytes
) -> None:
    metadata = Metadata(actor=actor, correlation_id=correlation_id)
    new = replace(NEW, metadata=metadata)
    fields = (
        *(log_id.encode(), b"run-1", struct.pack("<q", 5), new.event_id.bytes, b"RunNoted"),
        *(struct.pack("<q", 2), struct.pack("<q", to_micros(AT))),
        *(actor.encode(), (correlation_id or "").encode(), b"", payload, b"p" * 32),
    )
    laid_out = b"".join(struct.pack("<q", len(field)) + field for field in fields)
    expected = hashlib.sha256(b"runledger.event.v1" + laid_out).digest()
    assert chain_hash(log_id, replace(WRITE, events=(new,)), 0, 2, payload, b"p" * 32) == expected


@given(st.integers(-(2**55), 2**55))
def test_microseconds_are_exact(micros: int) -> None:
    assert to_micros(from_micros(micros)) == micros


def test_a_time_is_the_same_wherever_it_was_read() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert to_micros(elsewhere) == to_micros(AT)
    assert from_micros(0) == EPOCH
