"""An attempt's telemetry stream: batches between marks, and the output, each exactly once.

Where to go on is read from the stream itself: it holds one `MetricsRecorded` a mark, and the output up
to the end of the last `LogsRecorded`. Event ids follow from the mark or the offset. What a newer release
has put between them counts as a version, and for nothing else.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from runledger.tracker.blobs import Blobs
from runledger.tracker.dispatch import Dispatcher
from runledger.tracker.envelope import Metadata, NewEvent, Recorded
from runledger.tracker.events.base import Covers
from runledger.tracker.events.telemetry import LogsRecorded, MetricsRecorded, TelemetryEvent
from runledger.tracker.ids import RunId, batch_event_id, output_event_id, telemetry_stream
from runledger.tracker.journal import Points, metrics_recorded
from runledger.tracker.store.log import Log
from runledger.trainer import prometheus
from runledger.trainer.services import Services

TAGS = (MetricsRecorded.tag, LogsRecorded.tag)
OUTPUT_CHUNK_BYTES = 256 * 1024
PORTION_EVENTS = 500
"""Of at most 32 KB each."""
REMEMBERED_COVERS = 4_096
"""A checkpoint hardly ever covers less than these batches do; if one does, the stream is read for it."""


class Telemetry:
    """Every call may raise `StoreUnavailable`, or a conflict after which it may be repeated."""

    def __init__(self, services: Services, run_id: RunId, attempt: int) -> None:
        self._log: Log = services.log
        self._blobs: Blobs = services.blobs
        self._dispatcher: Dispatcher = services.dispatcher
        self._clock = services.clock
        self._metadata: Metadata = services.metadata
        self._run_id = run_id
        self._attempt = attempt
        self._stream = telemetry_stream(run_id, attempt)
        self._covers: dict[int, Covers] = {}
        self.version = 0
        self.batches = 0
        self.output_end = 0

    def resume(self) -> None:
        """Read what the stream holds, a portion at a time: a long attempt's telemetry fills any memory."""
        for recorded in self._read(self.version):
            self._took(_known(recorded), recorded.version)

    def covers(self, number: int) -> Covers:
        if number == 0:
            return Covers(version=0, offset=0)
        return self._covers.get(number) or self._find(number)

    def _find(self, number: int) -> Covers:
        """Of a batch that is not remembered any more. Raises `LookupError` for one that is not there."""
        batches = (each for each in self._read(0) if each.type == MetricsRecorded.tag)
        found = next(islice(batches, number - 1, None), None)
        if found is None:
            raise LookupError(f"{self._stream} has no batch {number}")
        event = found.event
        assert isinstance(event, MetricsRecorded)
        return _covers(event, found.version)

    def _read(self, after: int) -> Iterator[Recorded]:
        """A portion at a time."""
        while found := self._log.read(self._stream, after=after, limit=PORTION_EVENTS):
            yield from found
            after = found[-1].version
            if len(found) < PORTION_EVENTS:
                return

    def ship_batch(self, number: int, points: Sequence[Points]) -> None:
        self.resume()
        if number > self.batches:
            self._append(batch_event_id(self._run_id, self._attempt, number), metrics_recorded(points))
            prometheus.POINTS.inc(sum(len(each.values) for each in points))

    def ship_output(self, output: Path) -> bool:
        self.resume()
        chunk = _bytes_from(output, self.output_end)
        if not chunk:
            return False
        digest = self._blobs.put_bytes(chunk)
        start = self.output_end
        event = LogsRecorded(start=start, size_bytes=len(chunk), digest=digest)
        self._append(output_event_id(self._run_id, self._attempt, start), event)
        prometheus.OUTPUT_BYTES.inc(len(chunk))
        return True

    def _append(self, event_id: uuid.UUID, event: TelemetryEvent) -> None:
        new = NewEvent(
            event_id=event_id,
            event=event,
            occurred_at=self._clock(),
            metadata=self._metadata,
        )
        self._dispatcher.record(self._stream, self.version, [new])
        self._took(event, self.version + 1)

    def _took(self, event: object, version: int) -> None:
        self.version = version
        if isinstance(event, MetricsRecorded):
            self.batches += 1
            self._covers[self.batches] = _covers(event, version)
            self._covers.pop(self.batches - REMEMBERED_COVERS, None)
        elif isinstance(event, LogsRecorded):
            self.output_end = event.start + event.size_bytes


def _known(recorded: Recorded) -> object:
    """The event, or None for one that says nothing of batches or output. Raises `UnknownEvent`."""
    return recorded.event if recorded.type in TAGS else None


def _covers(event: MetricsRecorded, version: int) -> Covers:
    return Covers(version=version, offset=len(event.value) // 8)


def _bytes_from(path: Path, start: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(OUTPUT_CHUNK_BYTES)
    except FileNotFoundError:
        return b""
