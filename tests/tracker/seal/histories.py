"""A log with a history of several streams, sealed now and then, and what one does to it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runledger.tracker.envelope import Metadata, NewEvent, Write
from runledger.tracker.events.run import RunNoted
from runledger.tracker.ids import Stream
from runledger.tracker.seal.notes import PublicKey, public_key_of
from runledger.tracker.seal.place import Place
from runledger.tracker.seal.sealer import Sealer
from runledger.tracker.seal.verifying import Verified, verify_log
from runledger.tracker.store.log import Log

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STREAMS = ("run-a", "run-b", "telemetry-a-1", "experiment-x")


class Ticking:
    """A clock that goes on by a second whenever it is asked."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


CLOCK = Ticking()


class History:
    def __init__(self, log: Log, folder: Path) -> None:
        self.log = log
        self.url = f"file://{folder}"
        self.place = Place(self.url, log.log_id)
        self.random = random.Random(7)

    @property
    def keys(self) -> list[PublicKey]:
        return [public_key_of(self.log.log_id, KEY)]

    def sealer(self, most_leaves: int = 4_096) -> Sealer:
        return Sealer(self.log, self.place, KEY, clock=CLOCK, most_leaves=most_leaves)

    def append(self, count: int, streams: Sequence[str] = STREAMS) -> None:
        """In two commits, so that not all events have the same time."""
        for some in (count // 2, count - count // 2):
            versions = {stream: self.log.version(stream) for stream in streams}
            writes: list[Write] = []
            for stream in self.random.choices(streams, k=some):
                writes.append(write_of(stream, versions[stream], self.random.randbytes(16)))
                versions[stream] += 1
            if writes:
                self.log.append(*writes)

    def seal(self, most_leaves: int = 4_096) -> int:
        return seal_all(self.sealer(most_leaves))

    def verify(self, *, outside: bool = True, run_id: str | None = None) -> Verified:
        place = self.place if outside else None
        return verify_log(self.log, self.keys, place, run_id)

    def fault(self, *, outside: bool = True) -> int | None:
        found = self.verify(outside=outside).fault
        return None if found is None else found.position


def seal_all(sealer: Sealer) -> int:
    """Until nothing is left; how many seals that took."""
    count = 0
    while sealer.seal() is not None:
        count += 1
    return count


def write_of(stream: str, version: int, seed: bytes) -> Write:
    new = NewEvent(
        event_id=UUID(bytes=seed),
        event=RunNoted(note=seed.hex()),
        occurred_at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        metadata=Metadata(actor="test", correlation_id="because", causation_id=None),
    )
    return Write(stream=Stream(stream), expected_version=version, events=(new,))
