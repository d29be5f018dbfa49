"""The log's contract, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tracker.envelope import GENESIS, Metadata, NewEvent, Write
from tracker.errors import WrongExpectedVersion
from tracker.events.run import RunNoted
from tracker.ids import Stream
from tracker.store.log import Log


def noted(text: str = "note") -> NewEvent:
    return NewEvent(
        event_id=uuid4(),
        event=RunNoted(note=text),
        occurred_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        metadata=Metadata(actor="test", correlation_id="c", causation_id=None),
    )


def to(stream: str, expected_version: int, *events: NewEvent) -> Write:
    return Write(stream=Stream(stream), expected_version=expected_version, events=events or (noted(),))


def test_what_was_appended_is_read_back_as_it_was(log: Log) -> None:
    first, second = noted("one"), noted("two")
    assert log.append(to("run-1", 0, first, second)) == 2
    one, two = log.read("run-1")
    assert (one.position, one.version, one.event_id, one.event) == (1, 1, first.event_id, first.event)
    assert (two.position, two.version, two.occurred_at, two.actor) == (2, 2, second.occurred_at, "test")
    assert (one.prev_hash, two.prev_hash) == (GENESIS, one.hash)
    assert log.head() == 2


def test_a_stream_that_has_moved_on_refuses_the_append(log: Log) -> None:
    log.append(to("run-1", 0))
    with pytest.raises(WrongExpectedVersion) as refusal:
        log.append(to("run-1", 0))
    assert (refusal.value.expected, refusal.value.actual) == (0, 1)
