"""An attempt's telemetry over HTTP: each batch and each byte of output once.

The tracker says what it has when the attempt is taken up, and whenever something does not follow on that.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runledger.api.courier.aside import SetAside
from runledger.api.courier.claim import Claim
from runledger.api.courier.door import Door
from runledger.api.courier.errors import AttemptOver, Behind, DoorError, RefusedFact, StartOver, Unknown
from runledger.api.courier.tally import Tally
from runledger.tracker.events.base import Covers
from runledger.tracker.journal import Mark, Points, Reader, metrics_recorded

OUTPUT_CHUNK_BYTES = 256 * 1024
RECENT_BATCHES = 16
REMEMBERED_COVERS = 4_096


class Telemetry:
    """`tracker.shipping.Telemetry`. Also raises `StartOver`, and `AttemptOver` where nothing is taken."""

    def __init__(self, door: Door, claim: Claim, journal: Path, aside: SetAside, tally: Tally) -> None:
        self._door = door
        self._claim = claim
        self._journal = journal
        self._aside = aside
        self._tally = tally
        place = claim.answer.telemetry
        self._version: int | None = place.version
        self._batches = place.batches
        self._output_end = place.output_bytes
        self._covers: dict[int, Covers] = {}
        self._recent: dict[int, Sequence[Points]] = {}
        """A checkpoint hardly ever covers less than these."""
        self._is_output_refused = False

    def ship_batch(self, number: int, points: Sequence[Points]) -> None:
        if self._aside.has_batch(number):
            return
        self._recent[number] = points
        _keep_last(self._recent, RECENT_BATCHES)
        if self._place_of(number) > self._batches:
            self._send(number, points)

    def covers(self, number: int) -> Covers:
        """Of a batch that an earlier walk has shipped, the tracker says it once more."""
        while self._aside.has_batch(number):
            number -= 1
        if number == 0:
            return Covers(version=0, offset=0)
        if number not in self._covers:
            try:
                self._post(number, self._recent.get(number) or self._find(number), None)
            except (Behind, Unknown) as error:
                raise StartOver(str(error)) from error
        return self._covers[number]

    def ship_output(self, output: Path) -> bool:
        chunk = b"" if self._is_output_refused else _bytes_from(output, self._output_end)
        if not chunk:
            return False
        try:
            written = self._claim.tell(
                self._door, lambda holding: self._door.output(holding, self._output_end, chunk)
            )
        except Behind as behind:
            self._correct(behind)
            if behind.output_bytes is None:
                raise
        except (AttemptOver, Unknown) as error:
            raise _or_start_over(error) from error
        except RefusedFact as refusal:
            self._aside.put(f"output from {self._output_end} on", refusal)
            self._is_output_refused = True
        else:
            self._version = written.version
            self._output_end += len(chunk)
            self._tally.output_bytes += len(chunk)
        return True

    def _place_of(self, number: int) -> int:
        """Its number at the tracker, which closes up where one was not taken."""
        return number - self._aside.batches_before(number)

    def _send(self, number: int, points: Sequence[Points]) -> None:
        try:
            self._post(number, points, self._version)
        except Behind as behind:
            self._correct(behind)
            if self._batches < self._place_of(number) - 1:
                raise StartOver(str(behind)) from behind
            if self._batches < self._place_of(number):
                raise
        except (AttemptOver, Unknown) as error:
            raise _or_start_over(error) from error
        except RefusedFact as refusal:
            self._aside.put(f"batch {number}, steps {_steps(points)}", refusal, batch=number)
            self._tally.set_aside += 1
        else:
            self._batches = self._place_of(number)
            self._tally.points += sum(len(each.values) for each in points)

    def _post(self, number: int, points: Sequence[Points], version: int | None) -> None:
        """A batch that is there already only answers where."""
        event = metrics_recorded(points)
        place = self._place_of(number)
        taken = self._claim.tell(
            self._door, lambda holding: self._door.metrics(holding, place, event, version=version)
        )
        self._covers[number] = Covers(version=taken.version, offset=len(event.value) // 8)
        _keep_last(self._covers, REMEMBERED_COVERS)
        if self._version is None or taken.version > self._version:
            self._version = taken.version

    def _correct(self, behind: Behind) -> None:
        self._version = behind.version
        if behind.batches is not None:
            self._batches = behind.batches
        if behind.output_bytes is not None:
            self._output_end = behind.output_bytes

    def _find(self, number: int) -> Sequence[Points]:
        """Read it from the journal once more."""
        reader, points = Reader(self._journal, on_bad=lambda offset, frame, problem: None), list[Points]()
        while entries := reader.read():
            for entry in entries:
                if isinstance(entry.record, Points):
                    points.append(entry.record)
                elif isinstance(entry.record, Mark):
                    number -= 1
                    if number == 0:
                        return points
                    points = []
        return points


def _or_start_over(error: AttemptOver | Unknown) -> DoorError:
    return StartOver(str(error)) if isinstance(error, Unknown) else error


def _keep_last(entries: dict[int, Any], limit: int) -> None:
    while len(entries) > limit:
        del entries[next(iter(entries))]


def _steps(points: Sequence[Points]) -> str:
    return f"{points[0].step} to {points[-1].step}" if points else "none"


def _bytes_from(path: Path, start: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(OUTPUT_CHUNK_BYTES)
    except FileNotFoundError:
        return b""
