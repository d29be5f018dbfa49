"""An event of the log as answers show it: the envelope, and the payload as JSON."""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from runledger.api.answers import Fact
from runledger.api.http import encoding
from runledger.tracker.envelope import Recorded
from runledger.tracker.events.base import Event
from runledger.tracker.events.telemetry import MetricsRecorded


def fact_of(recorded: Recorded) -> Fact:
    return Fact(
        position=recorded.position,
        stream=recorded.stream,
        version=recorded.version,
        event_id=recorded.event_id,
        type=recorded.type,
        schema=recorded.schema,
        recorded_at=recorded.recorded_at,
        occurred_at=recorded.occurred_at,
        actor=recorded.actor,
        correlation_id=recorded.correlation_id,
        causation_id=recorded.causation_id,
        data=payload_of(recorded.event),
    )


def encode_fact(recorded: Recorded) -> bytes:
    return encoding.encode(fact_of(recorded))


def payload_of(event: Event) -> dict[str, Any]:
    """The event's fields; metric columns become lists of numbers."""
    if isinstance(event, MetricsRecorded):
        return {
            "keys": list(event.keys),
            "key_index": _column("H", event.key_index),
            "step": _column("q", event.step),
            "time": _column("q", event.time),
            "value": _column("d", event.value),
        }
    fields: dict[str, Any] = msgspec.to_builtins(event)
    return fields


def _column(code: str, raw: bytes) -> list[Any]:
    return list(struct.unpack(f"<{len(raw) // struct.calcsize(code)}{code}", raw))
