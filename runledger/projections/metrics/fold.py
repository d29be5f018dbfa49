"""From telemetry and the starts and checkpoints of runs to points and summaries.

A summary grows with each batch of the newest attempt, in the database, without being read. When an
attempt starts after others, or a late batch of an older one has effective points, the summaries of that
run are made anew from all its points.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain

import msgspec
from sqlalchemy import Connection, delete, func, select

from runledger.projections.metrics import tables
from runledger.projections.metrics.blocks import RUNS_PER_STATEMENT, AttemptOf, Blocks
from runledger.projections.metrics.effective import (
    Cuts,
    counting,
    cuts_of,
    effective,
    limit_of,
    read_points,
    read_rows,
)
from runledger.projections.metrics.points import Batch, Points
from runledger.projections.metrics.summaries import Summary, grown, summarise_effective, summarise_parts
from runledger.projections.projection import Fact, Write
from runledger.projections.rows import Additions, Row, chunks, insert_rows, merge_rows
from runledger.tracker.events.run import RunCheckpointed, RunStarted
from runledger.tracker.events.telemetry import MetricsRecorded
from runledger.tracker.ids import telemetry_ids


def fold(conn: Connection, batch: Sequence[Fact]) -> Write:
    rows = _Rows(conn, batch)
    for fact in batch:
        match fact.event:
            case MetricsRecorded() as event:
                rows.add_batch(fact, event)
            case RunStarted() as event:
                rows.start(fact, event)
            case RunCheckpointed() as event:
                rows.add_checkpoint(fact, event)
    rows.settle(conn)
    return rows.write


class _Rows:
    def __init__(self, conn: Connection, batch: Sequence[Fact]) -> None:
        runs = {
            _attempt_of(stream)[0]
            for stream in {fact.stream for fact in batch if type(fact.event) is MetricsRecorded}
        }
        runs |= {fact.subject for fact in batch if type(fact.event) is RunStarted}
        self._added: defaultdict[AttemptOf, list[Batch]] = defaultdict(list)
        self._points: dict[AttemptOf, list[Points]] = {}
        self._attempts = Additions(tables.attempts)
        self._checkpoints = Additions(tables.checkpoints)
        self._blocks = Blocks(conn, runs)
        self._newest = _newest_attempts(conn, runs)
        self._known = {run_id for run_id in runs if run_id in self._newest or self._blocks.has_any(run_id)}
        self._stale: set[str] = set()
        self._grown: list[Row] = []
        self._renewed: list[Row] = []

    def add_batch(self, fact: Fact, event: MetricsRecorded) -> None:
        of = _attempt_of(fact.stream)
        self._added[of].append(Batch(fact.version, fact.position, event))
        self._known.add(of[0])

    def start(self, fact: Fact, event: RunStarted) -> None:
        resumed = event.resumed_from
        self._attempts.add(
            run_id=fact.subject,
            attempt=event.attempt,
            position=fact.position,
            resumed_attempt=resumed and resumed.attempt,
            resumed_step=resumed and resumed.step,
            resumed_digest=resumed and resumed.digest,
        )
        if fact.subject in self._known:
            self._stale.add(fact.subject)
        self._known.add(fact.subject)
        self._newest[fact.subject] = max(event.attempt, self._newest.get(fact.subject, 0))

    def add_checkpoint(self, fact: Fact, event: RunCheckpointed) -> None:
        self._checkpoints.add(
            run_id=fact.subject,
            position=fact.position,
            attempt=event.attempt,
            step=event.step,
            digest=event.digest,
            covers_version=event.covers.version,
            covers_offset=event.covers.offset,
        )

    def settle(self, conn: Connection) -> None:
        """Once all facts of the page are in: the rows of points, and what the summaries become."""
        for of, added in self._added.items():
            self._points[of] = self._blocks.take(of, added)
        self._stale |= {run_id for run_id, attempt in self._added if self._is_late(conn, run_id, attempt)}
        for (run_id, attempt), parts in self._points.items():
            if run_id not in self._stale and attempt == self._newest.get(run_id):
                self._grown += _summary_rows(run_id, summarise_parts(parts))
        for run_id in self._stale:
            self._renewed += _summary_rows(run_id, self._renew(conn, run_id))

    def write(self, conn: Connection) -> None:
        self._blocks.write(conn)
        self._attempts.write(conn)
        self._checkpoints.write(conn)
        for run_ids in chunks(sorted(self._stale), RUNS_PER_STATEMENT):
            conn.execute(delete(tables.summaries).where(tables.summaries.c.run_id.in_(run_ids)))
        insert_rows(conn, tables.summaries, self._renewed)
        merge_rows(conn, tables.summaries, self._grown, grown)

    def _is_late(self, conn: Connection, run_id: str, attempt: int) -> bool:
        """Whether the new points belong to an older attempt, and some are effective nevertheless."""
        if run_id in self._stale or attempt >= self._newest.get(run_id, attempt):
            return False
        limit = limit_of(self._cuts(conn, run_id), attempt)
        return any(effective(points, limit).any() for points in self._points[run_id, attempt])

    def _renew(self, conn: Connection, run_id: str) -> dict[str, Summary]:
        """From the stored points and those of this page."""
        cuts = self._cuts(conn, run_id)
        stored = read_points(conn, run_id, attempts=counting(cuts))
        added = (
            (attempt, points)
            for (of, attempt), parts in self._points.items()
            if of == run_id
            for points in parts
        )
        return summarise_effective(chain(stored, added), cuts)

    def _cuts(self, conn: Connection, run_id: str) -> Cuts:
        return cuts_of(
            read_rows(conn, tables.attempts, run_id) + _of_run(self._attempts, run_id),
            read_rows(conn, tables.checkpoints, run_id) + _of_run(self._checkpoints, run_id),
        )


def _summary_rows(run_id: str, summaries: Mapping[str, Summary]) -> list[Row]:
    return [
        {"run_id": run_id, "key": key, **msgspec.structs.asdict(summary)}
        for key, summary in summaries.items()
    ]


def _of_run(additions: Additions, run_id: str) -> list[Row]:
    return [row for row in additions.rows if row["run_id"] == run_id]


@lru_cache(maxsize=65_536)
def _attempt_of(stream: str) -> AttemptOf:
    return telemetry_ids(stream)


def _newest_attempts(conn: Connection, runs: set[str]) -> dict[str, int]:
    table = tables.attempts
    query = select(table.c.run_id, func.max(table.c.attempt)).group_by(table.c.run_id)
    return {
        run_id: attempt
        for some in chunks(sorted(runs), RUNS_PER_STATEMENT)
        for run_id, attempt in conn.execute(query.where(table.c.run_id.in_(some)))
    }
