"""The events of `dataset-<digest>`: immutable bytes named by their digest."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from runledger.tracker.events.base import Event
from runledger.tracker.spec import JsonObject


class Generated(msgspec.Struct, frozen=True, kw_only=True, tag="generated", tag_field="kind"):
    """Made by a named generator; the same options give the same bytes."""

    generator: str
    options: JsonObject


class Uploaded(msgspec.Struct, frozen=True, kw_only=True, tag="uploaded", tag_field="kind"):
    filename: str = ""


class DatasetRegistered(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "DatasetRegistered"
    name: str
    format: str
    """`traces` (id, prompt, steps, answer) or `text` (id, text): one JSON object a line."""
    items: int
    size_bytes: int
    source: Generated | Uploaded
    statistics: dict[str, float] = {}


class DatasetDescribed(Event, frozen=True, kw_only=True):
    tag: ClassVar[str] = "DatasetDescribed"
    description: str


DatasetEvent = DatasetRegistered | DatasetDescribed
