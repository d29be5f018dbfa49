"""From telemetry and the starts and checkpoints of runs to chunks and summaries.

A summary grows with each batch of the newest attempt. When an attempt starts, or a batch of an older
one comes late, the summaries of that run are made anew from its chunks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, delete, func, select

from projections.metrics import tables
from projections.metrics.effective import cuts_of, read_chunks, read_rows, summarise_chunks
from projections.metrics.points import Summary, cut_by_key, summarise, summary_of_row
from projections.projection import Fact, Write
from projections.rows import Additions, Row, chunks, insert_rows
from tracker.events.run import RunCheckpointed, RunStarted
from tracker.events.telemetry import MetricsRecorded
from tracker.ids import telemetry_ids

RUNS_PER_STATEMENT = 500


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
    rows.renew_stale(conn)
    return rows.write


class _Rows:
    def __init__(self, conn: Connection, batch: Sequence[Fact]) -> None:
        self._chunks = Additions(tables.chunks)
        self._attempts = Additions(tables.attempts)
        self._checkpoints = Additions(tables.checkpoints)
        self._stale: set[str] = set()
        runs = {_run_id(fact) for fact in batch if isinstance(fact.event, MetricsRecorded | RunStarted)}
        self._newest = _newest_attempts(conn, runs)
        self._early = _runs_with_chunks(conn, runs - self._newest.keys())
        self._summaries = _read_summaries(conn, runs)

    def add_batch(self, fact: Fact, event: MetricsRecorded) -> None:
        run_id, attempt = telemetry_ids(fact.recorded.stream)
        if attempt != self._newest.get(run_id):
            self._stale.add(run_id)
        for key, points in cut_by_key(event):
            summary = summarise(points)
            self._chunks.add(
                run_id=run_id,
                key=key,
                attempt=attempt,
                version=fact.version,
                position=fact.position,
                last_place=int(points.place[-1]),
                **msgspec.structs.asdict(summary),
                place=points.place.tobytes(),
                step=points.step.tobytes(),
                time=points.time.tobytes(),
                value=points.value.tobytes(),
            )
            self._extend(run_id, self._chunks.rows[-1]["key"], summary)

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
        if fact.subject in self._newest or fact.subject in self._early:
            self._stale.add(fact.subject)
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

    def renew_stale(self, conn: Connection) -> None:
        """From the stored rows and those that this batch adds."""
        attempts, checkpoints, added = map(
            self._stale_rows, (self._attempts, self._checkpoints, self._chunks)
        )
        for run_id in self._stale:
            cuts = cuts_of(
                read_rows(conn, tables.attempts, run_id) + attempts[run_id],
                read_rows(conn, tables.checkpoints, run_id) + checkpoints[run_id],
            )
            rows = read_chunks(conn, run_id, cuts) + added[run_id]
            self._summaries[run_id] = summarise_chunks(rows, cuts)

    def write(self, conn: Connection) -> None:
        for additions in (self._chunks, self._attempts, self._checkpoints):
            additions.write(conn)
        for run_ids in chunks(sorted(self._summaries), RUNS_PER_STATEMENT):
            conn.execute(delete(tables.summaries).where(tables.summaries.c.run_id.in_(run_ids)))
        insert_rows(conn, tables.summaries, list(self._summary_rows()))

    def _extend(self, run_id: str, key: str, summary: Summary) -> None:
        of_run = self._summaries.setdefault(run_id, {})
        of_run[key] = of_run[key].then(summary) if key in of_run else summary

    def _summary_rows(self) -> list[Row]:
        return [
            {"run_id": run_id, "key": key, **msgspec.structs.asdict(summary)}
            for run_id, of_run in self._summaries.items()
            for key, summary in of_run.items()
        ]

    def _stale_rows(self, additions: Additions) -> defaultdict[str, list[Row]]:
        found: defaultdict[str, list[Row]] = defaultdict(list)
        for row in additions.rows:
            if row["run_id"] in self._stale:
                found[row["run_id"]].append(row)
        return found


def _run_id(fact: Fact) -> str:
    return telemetry_ids(fact.recorded.stream)[0] if fact.kind == "telemetry" else fact.subject


def _newest_attempts(conn: Connection, runs: set[str]) -> dict[str, int]:
    table = tables.attempts
    query = select(table.c.run_id, func.max(table.c.attempt)).group_by(table.c.run_id)
    return {
        run_id: attempt
        for some in chunks(sorted(runs), RUNS_PER_STATEMENT)
        for run_id, attempt in conn.execute(query.where(table.c.run_id.in_(some)))
    }


def _runs_with_chunks(conn: Connection, runs: set[str]) -> set[str]:
    """Telemetry that came before the start of any attempt counts for nothing until then."""
    column = tables.chunks.c.run_id
    return {
        run_id
        for some in chunks(sorted(runs), RUNS_PER_STATEMENT)
        for run_id in conn.scalars(select(column).where(column.in_(some)).distinct())
    }


def _read_summaries(conn: Connection, runs: set[str]) -> dict[str, dict[str, Summary]]:
    found: dict[str, dict[str, Summary]] = {run_id: {} for run_id in runs}
    query = select(tables.summaries)
    for some in chunks(sorted(runs), RUNS_PER_STATEMENT):
        for row in conn.execute(query.where(tables.summaries.c.run_id.in_(some))).mappings():
            found[row["run_id"]][row["key"]] = summary_of_row(row)
    return found
