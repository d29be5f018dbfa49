"""The closed catalogue of events: tag and schema to type, bytes to event and back.

Payloads are MessagePack. Older schemas are upcast on read, one step at a time; an unknown tag or a
newer schema is an error that stops the reader, never something to skip. Event types are imported
from the module of their stream (`tracker.events.run` …).
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from runledger.tracker.errors import UnknownEvent
from runledger.tracker.events.base import Event
from runledger.tracker.events.benchmark import BenchmarkEvent
from runledger.tracker.events.dataset import DatasetEvent
from runledger.tracker.events.evaluation import EvaluationEvent
from runledger.tracker.events.experiment import ExperimentEvent
from runledger.tracker.events.log import LogRestored
from runledger.tracker.events.model import ModelEvent
from runledger.tracker.events.run import RunEvent
from runledger.tracker.events.sweep import SweepEvent
from runledger.tracker.events.telemetry import TelemetryEvent
from runledger.tracker.events.upcasts import UPCASTS

CATALOGUE: dict[str, type[Event]] = {
    event_type.tag: event_type
    for union in (
        RunEvent,
        TelemetryEvent,
        ExperimentEvent,
        DatasetEvent,
        BenchmarkEvent,
        EvaluationEvent,
        ModelEvent,
        SweepEvent,
    )
    for event_type in get_args(union)
} | {LogRestored.tag: LogRestored}

_encoder = msgspec.msgpack.Encoder()
_decoders: dict[str, msgspec.msgpack.Decoder[Any]] = {
    tag: msgspec.msgpack.Decoder(event_type) for tag, event_type in CATALOGUE.items()
}


def encode(event: Event) -> bytes:
    return _encoder.encode(event)


def is_known(tag: str, schema: int) -> bool:
    """Whether this version of the code can read it."""
    return tag in CATALOGUE and schema <= CATALOGUE[tag].schema


def decode(tag: str, schema: int, payload: bytes) -> Event:
    """The event that `payload` holds, upcast to today's schema.

    Raises `UnknownEvent` for a tag or a schema that this version of the code does not know.
    """
    event_type = CATALOGUE.get(tag)
    if event_type is None or schema > event_type.schema:
        raise UnknownEvent(tag, schema)
    if schema == event_type.schema:
        event: Event = _decoders[tag].decode(payload)
        return event
    fields = msgspec.msgpack.decode(payload)
    for step in range(schema, event_type.schema):
        fields = UPCASTS[tag, step](fields)
    return msgspec.convert(fields, event_type)
