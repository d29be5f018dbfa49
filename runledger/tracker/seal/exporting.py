"""Writes one run into a file of its own, with proofs that need no database."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import BinaryIO
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runledger.tracker.seal import rows
from runledger.tracker.seal.errors import Contradicted, NoteInvalid, NotSealed
from runledger.tracker.seal.export import (
    ExportedEvent,
    Header,
    Manifest,
    StreamEnd,
    digests_in,
    manifest_of,
    write_line,
)
from runledger.tracker.seal.leaves import leaves_between
from runledger.tracker.seal.merkle import AuditPaths
from runledger.tracker.seal.notes import PublicKey, public_key_of, sign
from runledger.tracker.seal.rawlog import RawLog
from runledger.tracker.seal.rowcheck import Chains, LogRow
from runledger.tracker.seal.seal import Seal, whole_micros
from runledger.tracker.seal.streams import streams_of_run
from runledger.tracker.store.log import Log


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    log_id: str
    run_id: str
    events: int
    unsealed: int
    """Events of the run that are too new: no seal covers them yet, and they are not in the file."""
    sealed: int
    sealed_at: datetime
    streams: list[str]
    digests: list[str]


class _Contents(msgspec.Struct):
    """What a first look at the run's events has found."""

    streams: dict[str, StreamEnd] = {}
    digests: set[str] = set()
    positions: list[int] = []
    unsealed: int = 0


def export_run(
    log: Log,
    run_id: str,
    key: Ed25519PrivateKey,
    file: BinaryIO,
    clock: Callable[[], datetime],
    trusted: Sequence[PublicKey] = (),
) -> Exported:
    """All that is sealed of a run, by this key or a `trusted` one.

    Raises `NotFound`, `NotSealed`, and `Contradicted` for a log that is not in order: `verify` says more.
    """
    raw = RawLog(log.engine)
    streams = streams_of_run(raw, run_id)
    seal, note = _newest_seal(log, [public_key_of(log.log_id, key), *trusted])
    contents = _look(raw, log.log_id, streams, seal)
    if not contents.positions:
        raise NotSealed(f"nothing of run {run_id} is sealed yet")
    paths = AuditPaths(seal.size, (position - 1 for position in contents.positions))
    for leaf in leaves_between(log.engine, 0, seal.size):
        paths.push(leaf)
    if paths.root() != seal.root:
        raise Contradicted(1, f"from here to {seal.size} something is not as sealed: runledger verify")
    manifest = manifest_of(run_id, whole_micros(clock()), seal, contents.streams, contents.digests)
    signed = sign(manifest.text, log.log_id, key)
    file.write(write_line(Header(manifest=signed, seal=note)))
    for row in _in_order(raw, streams, seal.size):
        file.write(write_line(_exported(row, paths.path(row.position - 1))))
    return _exported_of(manifest, contents, seal)


def _newest_seal(log: Log, keys: Sequence[PublicKey]) -> tuple[Seal, str]:
    row = rows.newest(log.engine)
    if row is None:
        raise NotSealed("the log has no seal yet")
    try:
        return rows.open_row(row, log.log_id, keys)[0], row.note
    except NoteInvalid as problem:
        raise Contradicted(row.size, f"its seal in the database does not hold: {problem}") from problem


def _look(raw: RawLog, log_id: str, streams: list[str], seal: Seal) -> _Contents:
    chains = Chains(log_id, raw.tip)
    found = _Contents()
    for row in _in_order(raw, streams):
        if row.position > seal.size:
            found.unsealed += 1
            continue
        problem = chains.check(row)
        if problem is not None:
            raise Contradicted(row.position, problem)
        found.positions.append(row.position)
        found.streams[row.stream] = StreamEnd(row.version, row.hash)
        found.digests |= _digests_of(row)
    return found


def _digests_of(row: LogRow) -> set[str]:
    try:
        return digests_in(row.payload)
    except ValueError as problem:
        raise Contradicted(row.position, str(problem)) from problem


def _in_order(raw: RawLog, streams: list[str], until: int | None = None) -> Iterator[LogRow]:
    """The rows of these streams in the order of their positions."""
    merged = heapq.merge(*map(raw.stream, streams), key=attrgetter("position"))
    return (row for row in merged if until is None or row.position <= until)


def _exported(row: LogRow, proof: list[bytes]) -> ExportedEvent:
    event_id = row.event_id if isinstance(row.event_id, UUID) else UUID(hex=row.event_id)
    return ExportedEvent(**row._replace(event_id=event_id)._asdict(), proof=proof)


def _exported_of(manifest: Manifest, contents: _Contents, seal: Seal) -> Exported:
    return Exported(
        log_id=manifest.log_id,
        run_id=manifest.run_id,
        events=len(contents.positions),
        unsealed=contents.unsealed,
        sealed=seal.size,
        sealed_at=seal.sealed_at,
        streams=list(manifest.streams),
        digests=list(manifest.digests),
    )
