"""Events and writes to append in tests."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from runledger.tracker.envelope import Metadata, NewEvent, Write
from runledger.tracker.events.run import RunNoted
from runledger.tracker.ids import Stream


def noted(text: str = "note") -> NewEvent:
    return NewEvent(
        event_id=uuid4(),
        event=RunNoted(note=text),
        occurred_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        metadata=Metadata(actor="test", correlation_id="because", causation_id=None),
    )


def to(stream: str, expected_version: int, *events: NewEvent) -> Write:
    return Write(stream=Stream(stream), expected_version=expected_version, events=events or (noted(),))
