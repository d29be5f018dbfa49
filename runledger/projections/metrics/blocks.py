"""What new batches do to the rows of points: whole blocks become segments, the newest stays as it came.

A block is whole as soon as a batch of a later one is seen, so the rows after any position are the same
however the log was cut into pages.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import TypeAlias

from sqlalchemy import Connection, bindparam, delete, func, select

from runledger.projections.metrics.effective import read_batches
from runledger.projections.metrics.points import Batch, Points, put_together
from runledger.projections.metrics.segments import batch_row, segment_rows
from runledger.projections.metrics.tables import batches, block_of, segments
from runledger.projections.rows import Row, chunks, insert_rows

AttemptOf: TypeAlias = tuple[str, int]
"""A run and the number of an attempt."""

RUNS_PER_STATEMENT = 500


class Blocks:
    """Takes the new batches of one attempt after another, then writes."""

    def __init__(self, conn: Connection, runs: Collection[str]) -> None:
        self._conn = conn
        self._stored = _last_versions(conn, runs)
        self._batches: list[Row] = []
        self._segments: list[Row] = []
        self._over: list[Row] = []

    def has_any(self, run_id: str) -> bool:
        """Whether anything of the run is stored."""
        return any(stored == run_id for stored, _ in self._stored)

    def take(self, of: AttemptOf, added: Sequence[Batch]) -> list[Points]:
        """The new batches of an attempt in the order of their versions; their points, block by block."""
        newest = block_of(added[-1].version)
        stored = self._stored.get(of)
        before: list[Batch] = []
        if stored is not None and block_of(stored) < newest:
            before = read_batches(self._conn, *of)
            if block_of(added[0].version) != block_of(stored):
                self._segments += segment_rows(*of, block_of(stored), put_together(before))
                before = []
            self._over.append({"of_run": of[0], "of_attempt": of[1], "until": stored})
        parts: list[Points] = []
        for number, some in groupby(added, key=lambda batch: block_of(batch.version)):
            block = list(some)
            parts.append(put_together(block))
            if number == newest:
                self._batches += [batch_row(*of, batch) for batch in block]
            else:
                whole = put_together(before + block) if before else parts[-1]
                self._segments += segment_rows(*of, number, whole)
            before = []
        return parts

    def write(self, conn: Connection) -> None:
        if self._over:
            conn.execute(_DELETE, self._over)
        insert_rows(conn, batches, self._batches)
        insert_rows(conn, segments, self._segments)


_DELETE = delete(batches).where(
    batches.c.run_id == bindparam("of_run"),
    batches.c.attempt == bindparam("of_attempt"),
    batches.c.version <= bindparam("until"),
)


def _last_versions(conn: Connection, runs: Collection[str]) -> Mapping[AttemptOf, int]:
    """Of each attempt with telemetry, the last version that is stored."""
    query = select(batches.c.run_id, batches.c.attempt, func.max(batches.c.version))
    return {
        (run_id, attempt): version
        for some in chunks(sorted(runs), RUNS_PER_STATEMENT)
        for run_id, attempt, version in conn.execute(
            query.where(batches.c.run_id.in_(some)).group_by(batches.c.run_id, batches.c.attempt)
        )
    }
