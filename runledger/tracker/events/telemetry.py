"""The events of `telemetry-<run>-<attempt>`: batches of points and of log bytes.

Columns are raw little-endian arrays, so that NaN and infinities survive and nothing is parsed on the
way. Heartbeats are rows, not events.
"""

from __future__ import annotations

from typing import ClassVar

from runledger.tracker.events.base import Event
from runledger.tracker.ids import Digest


class MetricsRecorded(Event, frozen=True, kw_only=True):
    """Points in the order in which they were logged; the four columns have one entry a point."""

    tag: ClassVar[str] = "MetricsRecorded"
    keys: tuple[str, ...]
    key_index: bytes
    """uint16: which of `keys` the point belongs to."""
    step: bytes
    """int64."""
    time: bytes
    """int64, µs since 1970 UTC, the writer's clock."""
    value: bytes
    """float64."""


class LogsRecorded(Event, frozen=True, kw_only=True):
    """The next bytes of the attempt's output, raw and in order; the bytes lie in a blob."""

    tag: ClassVar[str] = "LogsRecorded"
    start: int
    """Offset of the first byte in the attempt's whole output."""
    size_bytes: int
    digest: Digest


TelemetryEvent = MetricsRecorded | LogsRecorded

MAX_POINTS = 1_000
MAX_BYTES = 32 * 1024
