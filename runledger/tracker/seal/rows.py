"""The rows of the ledger that sealing reads and writes.

What stands in a seal's row may be anything at all where somebody has been at work on the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, Engine, delete, func, insert, select

from runledger.tracker.envelope import to_micros
from runledger.tracker.seal.errors import NoteInvalid
from runledger.tracker.seal.merkle import Frontier
from runledger.tracker.seal.notes import PublicKey
from runledger.tracker.seal.rawlog import fetch_raw
from runledger.tracker.seal.seal import Seal, read_seal
from runledger.tracker.store.engine import write
from runledger.tracker.store.tables import sealing, seals

PAGE_SEALS = 50
SEALING = 1
"""The id of the only row of `sealing`."""

_READ = "SELECT size, root, sealed_at, frontier, note FROM seals"


class SealRow(msgspec.Struct, frozen=True):
    """As the database holds it."""

    size: int
    root: bytes
    sealed_at: int
    frontier: bytes
    note: str


def open_row(row: SealRow, log_id: str, keys: Sequence[PublicKey]) -> tuple[Seal, Frontier]:
    """The seal that a row holds, and its tree. Raises `NoteInvalid` where they do not fit together."""
    if not (isinstance(row.note, str) and isinstance(row.root, bytes) and isinstance(row.frontier, bytes)):
        raise NoteInvalid("its row holds values of other types")
    seal = read_seal(row.note, log_id, keys)
    if (seal.size, seal.root, to_micros(seal.sealed_at)) != (row.size, row.root, row.sealed_at):
        raise NoteInvalid("its row is not what was signed")
    try:
        frontier = Frontier.from_bytes(row.size, row.frontier)
    except ValueError as problem:
        raise NoteInvalid(f"its frontier is none: {problem}") from None
    if frontier.root() != row.root:
        raise NoteInvalid("its frontier is not that of its root")
    return seal, frontier


def newest(engine: Engine) -> SealRow | None:
    rows = fetch_raw(engine, f"{_READ} ORDER BY size DESC LIMIT 1")
    return SealRow(*rows[0]) if rows else None


def largest_seal(conn: Connection) -> int:
    """How many events the newest row covers; 0 where there is none."""
    return conn.scalar(select(func.max(seals.c.size))) or 0


def stored_seals(engine: Engine, after: int = 0) -> Iterator[SealRow]:
    """Of more than `after` events, the smallest first."""
    while True:
        statement = f"{_READ} WHERE size > {after:d} ORDER BY size LIMIT {PAGE_SEALS}"
        page = [SealRow(*row) for row in fetch_raw(engine, statement)]
        yield from page
        if len(page) < PAGE_SEALS:
            return
        after = page[-1].size


def add_seal(conn: Connection, seal: Seal, frontier: bytes, note: str) -> None:
    conn.execute(
        insert(seals).values(
            size=seal.size,
            root=seal.root,
            sealed_at=to_micros(seal.sealed_at),
            frontier=frontier,
            note=note,
        )
    )
    conn.execute(delete(sealing))


def note_problem(engine: Engine, problem: str) -> None:
    """Say why nothing is sealed; since when stays as it is while it stays the same."""
    with write(engine) as conn:
        known = conn.scalar(select(sealing.c.problem))
        if known != problem:
            conn.execute(delete(sealing))
            since = to_micros(datetime.now(UTC))
            conn.execute(insert(sealing).values(id=SEALING, problem=problem, since=since))
