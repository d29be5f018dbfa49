"""From the events of run streams to the rows of the runs projection.

When a run executed elsewhere was requested, began, saved and ended is told by the clock of its executor,
who may tell it days later; of our own runs it is when the log took it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, select

from runledger.projections.projection import Fact, Write
from runledger.projections.rows import Additions, History, Row, chunks
from runledger.projections.runs import tables
from runledger.tracker.events import run as facts
from runledger.tracker.events.base import Event
from runledger.tracker.spec import Scalar

ENDINGS: Final[dict[type[Event], str]] = {
    facts.RunCompleted: "completed",
    facts.RunFailed: "failed",
    facts.RunAttemptLost: "lost",
    facts.RunPreempted: "preempted",
    facts.RunCancelled: "cancelled",
    facts.RunPaused: "paused",
}
"""The events that end an attempt, and what the attempt's row then says."""

EXECUTING: Final = ("running", "pausing", "cancelling")

RUNS_PER_STATEMENT: Final = 500

_pack = msgspec.msgpack.Encoder().encode


def fold(conn: Connection, batch: Sequence[Fact]) -> Write:
    rows = _Rows(conn, batch)
    for fact in batch:
        if isinstance(fact.event, facts.RunRequested):
            _request(rows, fact, fact.event)
        else:
            rows.states.change(
                fact.position,
                fact.subject,
                version=fact.version,
                updated_at=fact.at,
                **_state_changes(rows.states.current(fact.subject), fact, rows.when(fact)),
            )
        _record_details(rows, fact)
    return rows.write


class _Rows:
    """The rows of the runs that a batch is about."""

    def __init__(self, conn: Connection, batch: Sequence[Fact]) -> None:
        self.requests = Additions(tables.runs)
        self.states = History(tables.run_states, "run_id")
        self.tags = History(tables.run_tags, "run_id", "key")
        self.params = History(tables.run_params, "run_id", "key")
        self.attempts = History(tables.run_attempts, "run_id", "attempt")
        self.checkpoints = History(tables.run_checkpoints, "run_id", "attempt", "step", "digest")
        self.artifacts = History(tables.run_artifacts, "run_id", "path")
        self._elsewhere = _executed_elsewhere(conn, batch)
        self.states.load(conn, {fact.subject for fact in batch})
        self._load(conn, batch, self.tags, facts.RunTagged)
        self._load(conn, batch, self.params, facts.RunParamsRecorded)
        self._load(
            conn, batch, self.attempts, facts.RunEnvironmentRecorded, facts.RunAttemptReturned, *ENDINGS
        )
        self._load(conn, batch, self.checkpoints, facts.RunCheckpointed, facts.RunCheckpointDeleted)
        self._load(conn, batch, self.artifacts, facts.RunArtifactRecorded)

    def when(self, fact: Fact) -> int:
        """When it happened, in µs."""
        return fact.occurred_at if fact.subject in self._elsewhere else fact.at

    def write(self, conn: Connection) -> None:
        self.requests.write(conn)
        for history in (
            self.states,
            self.tags,
            self.params,
            self.attempts,
            self.checkpoints,
            self.artifacts,
        ):
            history.write(conn)

    @staticmethod
    def _load(conn: Connection, batch: Sequence[Fact], history: History, *touching: type[Event]) -> None:
        """Reads the rows of those runs of which an event of the batch changes this history."""
        history.load(conn, {fact.subject for fact in batch if isinstance(fact.event, touching)})


def _executed_elsewhere(conn: Connection, batch: Sequence[Fact]) -> set[str]:
    """Those of the batch's runs that are, requested in it or before."""
    requests = {fact.subject: fact.event for fact in batch if isinstance(fact.event, facts.RunRequested)}
    found = {run_id for run_id, request in requests.items() if request.external}
    query = select(tables.runs.c.run_id).where(tables.runs.c.external)
    for some in chunks(sorted({fact.subject for fact in batch} - requests.keys()), RUNS_PER_STATEMENT):
        found.update(conn.scalars(query.where(tables.runs.c.run_id.in_(some))))
    return found


def _request(rows: _Rows, fact: Fact, event: facts.RunRequested) -> None:
    rows.requests.add(
        run_id=fact.subject,
        position=fact.position,
        experiment_id=event.experiment_id,
        requested_at=rows.when(fact),
        requested_by=event.requested_by,
        recipe=event.spec.recipe,
        priority=event.priority,
        external=event.external,
        request=_pack(event),
    )
    rows.states.open(
        fact.position,
        run_id=fact.subject,
        version=fact.version,
        position=fact.position,
        experiment_id=event.experiment_id,
        name=event.name,
        status="queued",
        hidden=False,
        note="",
        attempt=1,
        updated_at=fact.at,
    )
    _add_params(rows, fact, event.spec.params())
    for key, value in event.tags.items():
        rows.tags.open(fact.position, run_id=fact.subject, key=key, value=value)


def _state_changes(state: Row, fact: Fact, when: int) -> Row:
    match fact.event:
        case facts.RunCheckpointed() as event:
            return {"step": event.step}
        case facts.RunRenamed() as event:
            return {"name": event.name}
        case facts.RunNoted() as event:
            return {"note": event.note}
        case facts.RunHidden():
            return {"hidden": True}
        case facts.RunShown():
            return {"hidden": False}
        case _:
            return _status_changes(state, fact, when)


def _status_changes(state: Row, fact: Fact, when: int) -> Row:
    match fact.event:
        case facts.RunStarted() as event:
            return {
                "status": "running",
                "attempt": event.attempt,
                "started_at": state["started_at"] or when,
            }
        case facts.RunResumed() | facts.RunRetried() as event:
            return {"status": "queued", "attempt": event.attempt, "ended_at": None, "outcome": None}
        case facts.RunAttemptReturned() if state["status"] not in EXECUTING:
            status = "pausing" if state["status"] == "paused" else "running"
            return {"status": status, "ended_at": None, "outcome": None}
        case facts.RunCancellationRequested() if state["status"] in EXECUTING:
            return {"status": "cancelling"}
        case facts.RunPauseRequested() if state["status"] in EXECUTING:
            return {"status": "pausing"}
        case facts.RunPaused() as event:
            return {"status": "paused", "step": state["step"] if event.step is None else event.step}
        case facts.RunCompleted() | facts.RunFailed() | facts.RunCancelled() as event:
            return _end_changes(state, event, when)
        case _:
            return {}


def _end_changes(
    state: Row, event: facts.RunCompleted | facts.RunFailed | facts.RunCancelled, when: int
) -> Row:
    step = None if isinstance(event, facts.RunFailed) else event.step
    return {
        "status": ENDINGS[type(event)],
        "step": state["step"] if step is None else step,
        "ended_at": when,
        "outcome": _pack(event),
    }


def _record_details(rows: _Rows, fact: Fact) -> None:
    match fact.event:
        case facts.RunParamsRecorded() as event:
            _add_params(rows, fact, event.params)
        case facts.RunTagged() as event:
            _change_tags(rows, fact, event)
        case facts.RunStarted() as event:
            _start_attempt(rows, fact, event)
        case facts.RunAttemptReturned() as event:
            _return_attempt(rows, fact, event)
        case facts.RunEnvironmentRecorded() as event:
            rows.attempts.change(fact.position, fact.subject, event.attempt, environment=_pack(event))
        case facts.RunCheckpointed() as event:
            _add_checkpoint(rows, fact, event)
        case facts.RunCheckpointDeleted() as event:
            rows.checkpoints.change(
                fact.position,
                *(fact.subject, event.attempt, event.step, event.digest),
                deleted_at=fact.at,
                deleted_by=event.policy,
            )
        case facts.RunArtifactRecorded() as event:
            rows.artifacts.open(
                fact.position, run_id=fact.subject, recorded_at=fact.at, **msgspec.structs.asdict(event)
            )
        case event if type(event) in ENDINGS:
            _end_attempt(rows, fact, event)


def _add_params(rows: _Rows, fact: Fact, params: dict[str, Scalar]) -> None:
    for key, value in params.items():
        if not rows.params.is_open(fact.subject, key):
            rows.params.open(fact.position, run_id=fact.subject, key=key, value=_pack(value))


def _change_tags(rows: _Rows, fact: Fact, event: facts.RunTagged) -> None:
    for key in event.removed:
        if rows.tags.is_open(fact.subject, key):
            rows.tags.close(fact.position, fact.subject, key)
    for key, value in event.added.items():
        rows.tags.open(fact.position, run_id=fact.subject, key=key, value=value)


def _start_attempt(rows: _Rows, fact: Fact, event: facts.RunStarted) -> None:
    rows.attempts.open(
        fact.position,
        run_id=fact.subject,
        attempt=event.attempt,
        worker=event.worker,
        epoch=event.epoch,
        resumed_from=event.resumed_from and _pack(event.resumed_from),
        started_at=rows.when(fact),
    )


def _return_attempt(rows: _Rows, fact: Fact, event: facts.RunAttemptReturned) -> None:
    rows.attempts.change(
        fact.position,
        *(fact.subject, event.attempt),
        worker=event.worker,
        epoch=event.epoch,
        ended_at=None,
        ending=None,
    )


def _end_attempt(rows: _Rows, fact: Fact, event: Event) -> None:
    """The first ending stands: a lost attempt stays lost when its run fails for it.

    An attempt that never started (cancelled while queued) has no row.
    """
    key = (fact.subject, getattr(event, "attempt", None))
    if rows.attempts.is_open(*key) and rows.attempts.current(*key)["ending"] is None:
        rows.attempts.change(fact.position, *key, ended_at=rows.when(fact), ending=ENDINGS[type(event)])


def _add_checkpoint(rows: _Rows, fact: Fact, event: facts.RunCheckpointed) -> None:
    rows.checkpoints.open(
        fact.position,
        run_id=fact.subject,
        attempt=event.attempt,
        step=event.step,
        digest=event.digest,
        position=fact.position,
        size_bytes=event.size_bytes,
        loss=event.loss,
        covers_version=event.covers.version,
        covers_offset=event.covers.offset,
        saved_at=rows.when(fact),
    )
