"""Is an export what was exported? Needs the file and a public key, and no database.

What is shown: every event stands in the log under the seal, at its position; each stream is there from its
beginning, without a gap. That nothing of the run is left out is the word of whoever holds the log's key.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import BinaryIO

import msgspec

from runledger.tracker.seal.errors import ExportInvalid, NoteInvalid
from runledger.tracker.seal.export import (
    LARGEST_LINE_BYTES,
    ExportedEvent,
    StreamEnd,
    digests_in,
    manifest_of,
    read_event,
    read_header,
)
from runledger.tracker.seal.merkle import root_of_path
from runledger.tracker.seal.notes import PublicKey, open_note
from runledger.tracker.seal.rowcheck import Chains
from runledger.tracker.seal.seal import Seal, leaf_of, read_seal

_BEGINNING = re.compile(
    r"[^\n]+\n([^\n]+)\nrun ([^\n]+)\n"
    r"time ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6})Z\n"
)


class ExportVerified(msgspec.Struct, frozen=True, kw_only=True):
    """What an export holds."""

    log_id: str
    run_id: str
    events: int
    sealed: int
    sealed_at: datetime
    exported_at: datetime
    streams: list[str]
    digests: list[str]


def verify_export(file: BinaryIO, keys: Sequence[PublicKey]) -> ExportVerified:
    """Raises `ExportInvalid` for the first line that does not hold; for line 1 where the whole does not."""
    header = read_header(_line(file))
    try:
        text = open_note(header.manifest, keys)
        log_id, run_id, exported_at = _begin(text)
        seal = read_seal(header.seal, log_id, keys)
    except NoteInvalid as invalid:
        raise ExportInvalid(1, str(invalid)) from None
    contents = _Contents(seal)
    number = 1
    while line := _line(file):
        number += 1
        problem = contents.take(read_event(number, line))
        if problem is not None:
            raise ExportInvalid(number, problem)
    manifest = manifest_of(run_id, exported_at, seal, contents.streams, contents.digests)
    if manifest.text != text:
        raise ExportInvalid(1, "the manifest is not that of the events that follow")
    return ExportVerified(
        log_id=log_id,
        run_id=run_id,
        events=number - 1,
        sealed=seal.size,
        sealed_at=seal.sealed_at,
        exported_at=exported_at,
        streams=list(manifest.streams),
        digests=list(manifest.digests),
    )


class _Contents:
    """The events so far."""

    def __init__(self, seal: Seal) -> None:
        self.streams: dict[str, StreamEnd] = {}
        self.digests: set[str] = set()
        self._seal = seal
        self._chains = Chains(seal.log_id, lambda stream, position: None, kept=sys.maxsize)
        self._position = 0

    def take(self, event: ExportedEvent) -> str | None:
        """What is wrong with the next event; None where nothing is."""
        if not self._position < event.position <= self._seal.size:
            return "it is not in the order of positions, up to that of the seal"
        problem = self._chains.check(event.row)
        if problem is not None:
            return problem
        leaf = leaf_of(event.position, event.recorded_at, event.hash)
        if root_of_path(leaf, event.position - 1, self._seal.size, event.proof) != self._seal.root:
            return "its proof does not lead to the root that was sealed"
        try:
            self.digests |= digests_in(event.payload)
        except ValueError as invalid:
            return str(invalid)
        self._position = event.position
        self.streams[event.stream] = StreamEnd(event.version, event.hash)
        return None


def _begin(text: str) -> tuple[str, str, datetime]:
    """Log, run and time of a manifest. The rest of it is compared with what the events come to."""
    found = _BEGINNING.match(text)
    if found is None:
        raise NoteInvalid("not the manifest of an export")
    try:
        return found[1], found[2], datetime.fromisoformat(f"{found[3]}+00:00")
    except ValueError as problem:
        raise NoteInvalid(f"not a time: {problem}") from None


def _line(file: BinaryIO) -> bytes:
    return file.readline(LARGEST_LINE_BYTES)
