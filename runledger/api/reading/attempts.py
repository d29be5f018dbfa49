"""One attempt as whoever executes it has to know it: its lease, and what has been told of it."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from runledger.api.answers import AttemptAnswer, TelemetryPlace
from runledger.api.backend import Backend
from runledger.tracker import events
from runledger.tracker.aggregates.registry import RUN
from runledger.tracker.aggregates.run import Attempt, Run
from runledger.tracker.errors import NotFound
from runledger.tracker.events.telemetry import LogsRecorded
from runledger.tracker.ids import RunId, Stream, run_stream, telemetry_stream
from runledger.tracker.store import leases
from runledger.tracker.store.leases import Lease
from runledger.tracker.store.tables import events as table


def show(backend: Backend, run_id: RunId, number: int) -> AttemptAnswer:
    """Of any run. Raises `NotFound`."""
    run = backend.dispatcher.load(RUN, run_id)
    attempt = run.started(number)
    if attempt is None:
        raise NotFound("attempt", f"{number} of run {run_id}")
    with backend.rows() as conn:
        lease = leases.get(conn, run_stream(run_id))
    held = lease if lease is not None and is_held(lease, attempt) else None
    return answer(backend, run_id, run, attempt, held, backend.log.head())


def answer(
    backend: Backend, run_id: RunId, run: Run, attempt: Attempt, lease: Lease | None, position: int
) -> AttemptAnswer:
    """`lease` is None where it is not held."""
    return AttemptAnswer(
        run_id=run_id,
        attempt=attempt.number,
        epoch=0 if lease is None else lease.epoch,
        lease_seconds=0.0 if lease is None else seconds_of(lease),
        status=run.status,
        outcome=attempt.outcome,
        resumed_from=attempt.resumed_from,
        telemetry=telemetry_place(backend, run_id, attempt.number),
        position=position,
    )


def is_held(lease: Lease, attempt: Attempt) -> bool:
    """Whether the lease is the one under which the attempt executes."""
    return lease.holder is not None and attempt.outcome is None and lease.epoch == attempt.epoch


def seconds_of(lease: Lease) -> float:
    """How long the holder may stay silent; the two times are taken some microseconds apart."""
    return round((lease.expires_at - lease.renewed_at).total_seconds(), 3)


def telemetry_place(backend: Backend, run_id: RunId, attempt: int) -> TelemetryPlace:
    """What the log has. Counts the batches of the stream: asked when an attempt is taken up, not for each."""
    stream = telemetry_stream(run_id, attempt)
    version = backend.log.version(stream)
    with backend.rows() as conn:
        chunks, output_bytes = _output(conn, stream, version)
    return TelemetryPlace(version=version, batches=version - chunks, output_bytes=output_bytes)


def _output(conn: Connection, stream: Stream, version: int) -> tuple[int, int]:
    """How many chunks of output there are, up to `version`, and where the last one ends."""
    of_output = (table.c.stream == stream, table.c.type == LogsRecorded.tag, table.c.version <= version)
    chunks, last = conn.execute(select(func.count(), func.max(table.c.version)).where(*of_output)).one()
    if not chunks:
        return 0, 0
    row = conn.execute(
        select(table.c.schema, table.c.payload).where(table.c.stream == stream, table.c.version == last)
    ).one()
    event = events.decode(LogsRecorded.tag, row.schema, row.payload)
    assert isinstance(event, LogsRecorded)
    return chunks, event.start + event.size_bytes
