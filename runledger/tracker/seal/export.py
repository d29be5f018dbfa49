"""The file that holds one run with proof that it stands in the log: its format, one line after the other.

One JSON object a line. The first holds a signed manifest of all that follows and the seal under which the
events stand; each of the others holds an event with its proof of inclusion. Bytes are in base 64, times
in µs since 1970 UTC. Lines are in one form only, so that every byte counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from runledger.tracker.seal.errors import ExportInvalid
from runledger.tracker.seal.notes import to_base64
from runledger.tracker.seal.rowcheck import LogRow
from runledger.tracker.seal.seal import Seal

FORMAT: Literal["runledger-export/1"] = "runledger-export/1"
LARGEST_LINE_BYTES = 256 * 1024 * 1024

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: Literal["runledger-export/1"] = FORMAT
    manifest: str
    seal: str


class ExportedEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of the log, and the way from its leaf to the seal's root."""

    position: int
    stream: str
    version: int
    event_id: UUID
    type: str
    schema: int
    recorded_at: int
    occurred_at: int
    actor: str
    correlation_id: str | None
    causation_id: str | None
    prev_hash: bytes
    hash: bytes
    payload: bytes
    proof: list[bytes]

    @property
    def row(self) -> LogRow:
        return LogRow(*(getattr(self, name) for name in LogRow._fields))


class StreamEnd(msgspec.Struct, frozen=True):
    """How many events a stream has, and the hash of the last."""

    events: int
    hash: bytes


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever holds the log's key says that the file holds: the run, up to the seal, whole."""

    log_id: str
    run_id: str
    exported_at: datetime
    size: int
    root: bytes
    streams: Mapping[str, StreamEnd]
    """In the order in which they begin."""
    digests: tuple[str, ...]
    """Of the bytes that the events name: checkpoints, artifacts, output, datasets, sources."""

    @property
    def text(self) -> str:
        """What is signed."""
        lines = [
            FORMAT,
            self.log_id,
            f"run {self.run_id}",
            f"time {self.exported_at:%Y-%m-%dT%H:%M:%S.%fZ}",
            f"seal {self.size} {to_base64(self.root)}",
            *(f"stream {name} {end.events} {to_base64(end.hash)}" for name, end in self.streams.items()),
            *(f"digest {digest}" for digest in self.digests),
        ]
        return "".join(f"{line}\n" for line in lines)


def manifest_of(
    run_id: str, exported_at: datetime, seal: Seal, streams: Mapping[str, StreamEnd], digests: set[str]
) -> Manifest:
    return Manifest(
        log_id=seal.log_id,
        run_id=run_id,
        exported_at=exported_at,
        size=seal.size,
        root=seal.root,
        streams=streams,
        digests=tuple(sorted(digests)),
    )


def write_line(value: Header | ExportedEvent) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def read_header(line: bytes) -> Header:
    """Raises `ExportInvalid`."""
    header: Header = _read(1, line, _header)
    return header


def read_event(number: int, line: bytes) -> ExportedEvent:
    """Raises `ExportInvalid`."""
    event: ExportedEvent = _read(number, line, _event)
    return event


def digests_in(payload: bytes) -> set[str]:
    """Every text in a payload that reads as a SHA-256. Raises ValueError for what is no MessagePack."""
    found: set[str] = set()
    try:
        _collect(msgspec.msgpack.decode(payload), found)
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise ValueError(f"its payload cannot be read: {problem}") from problem
    return found


def _collect(value: Any, found: set[str]) -> None:
    match value:
        case str():
            if _DIGEST.fullmatch(value):
                found.add(value)
        case dict():
            for each in value.values():
                _collect(each, found)
        case list():
            for each in value:
                _collect(each, found)


_header = msgspec.json.Decoder(Header)
_event = msgspec.json.Decoder(ExportedEvent)


def _read(number: int, line: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    try:
        value = decoder.decode(line)
    except (msgspec.MsgspecError, ValueError) as problem:
        raise ExportInvalid(number, f"not as an export is written: {problem}") from None
    if write_line(value) != line:
        raise ExportInvalid(number, "not in the form in which exports are written")
    return value
