"""Questions about runs. Each can be asked as of a position; None means now."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, Table, func, select

from runledger.projections.history import holds, read_page
from runledger.projections.runs import tables
from runledger.projections.runs.answers import (
    Artifact,
    Attempt,
    Checkpoint,
    Failure,
    RunPage,
    RunSummary,
    RunView,
)
from runledger.tracker.envelope import from_micros
from runledger.tracker.events.base import Covers, ResumePoint
from runledger.tracker.events.run import RunCompleted, RunEnvironmentRecorded, RunFailed, RunRequested
from runledger.tracker.spec import Scalar

_request = msgspec.msgpack.Decoder(RunRequested)
_environment = msgspec.msgpack.Decoder(RunEnvironmentRecorded)
_resume_point = msgspec.msgpack.Decoder(ResumePoint)
_completed = msgspec.msgpack.Decoder(RunCompleted)
_failed = msgspec.msgpack.Decoder(RunFailed)
_scalar = msgspec.msgpack.Decoder()


def list_runs(
    conn: Connection,
    *,
    experiment: str | None = None,
    status: Collection[str] | None = None,
    hidden: bool = False,
    limit: int = 50,
    after: int | None = None,
    as_of: int | None = None,
) -> RunPage:
    """Newest first. `after` is the `next` of the page before; hidden runs are left out unless asked for."""
    states = tables.run_states
    query = _states(as_of)
    if experiment is not None:
        query = query.where(states.c.experiment_id == experiment)
    if status is not None:
        query = query.where(states.c.status.in_(status))
    if not hidden:
        query = query.where(states.c.hidden.is_(False))
    rows, following = read_page(conn, query, states.c.position, limit, after)
    tags = _tags(conn, [row["run_id"] for row in rows], as_of)
    return RunPage(runs=tuple(RunSummary(**_summary(row, tags)) for row in rows), next=following)


def get_run(conn: Connection, run_id: str, as_of: int | None = None) -> RunView | None:
    row = conn.execute(_states(as_of).where(tables.run_states.c.run_id == run_id)).mappings().first()
    if row is None:
        return None
    # Every event of a run makes a state: asked as of it, the other tables fit without a common snapshot.
    as_of = row["valid_from"]
    request = _request.decode(row["request"])
    return RunView(
        **_summary(row, _tags(conn, [run_id], as_of)),
        note=row["note"],
        spec=request.spec,
        params=params(conn, run_id, as_of),
        limits=request.limits,
        device=request.device,
        worker_labels=request.worker_labels,
        forked_from=request.forked_from,
        attempts=attempts(conn, run_id, as_of),
        failure=_failure(row),
        final_metrics=_completed.decode(row["outcome"]).metrics if row["status"] == "completed" else {},
    )


def count_by_status(
    conn: Connection, experiment: str | None = None, as_of: int | None = None
) -> dict[str, int]:
    """How many runs stand in each status that occurs, the hidden ones among them."""
    states = tables.run_states
    query = select(states.c.status, func.count()).where(holds(states, as_of)).group_by(states.c.status)
    if experiment is not None:
        query = query.where(states.c.experiment_id == experiment)
    return dict(sorted((status, count) for status, count in conn.execute(query)))


def params(conn: Connection, run_id: str, as_of: int | None = None) -> dict[str, Scalar]:
    """By key."""
    rows = _of_run(conn, tables.run_params, run_id, as_of)
    return {row["key"]: _scalar.decode(row["value"]) for row in sorted(rows, key=_by_key)}


def tags(conn: Connection, run_id: str, as_of: int | None = None) -> dict[str, str]:
    return _tags(conn, [run_id], as_of).get(run_id, {})


def attempts(conn: Connection, run_id: str, as_of: int | None = None) -> tuple[Attempt, ...]:
    rows = _of_run(conn, tables.run_attempts, run_id, as_of)
    return tuple(_attempt(row) for row in sorted(rows, key=lambda row: row["attempt"]))


def environment(
    conn: Connection, run_id: str, attempt: int | None = None, as_of: int | None = None
) -> RunEnvironmentRecorded | None:
    """Of the given attempt, or of the latest that recorded one."""
    recorded = [each for each in attempts(conn, run_id, as_of) if each.environment is not None]
    if attempt is not None:
        recorded = [each for each in recorded if each.attempt == attempt]
    return recorded[-1].environment if recorded else None


def checkpoints(conn: Connection, run_id: str, as_of: int | None = None) -> tuple[Checkpoint, ...]:
    """In the order in which they were recorded, the deleted ones among them."""
    rows = _of_run(conn, tables.run_checkpoints, run_id, as_of)
    return tuple(_checkpoint(row) for row in sorted(rows, key=lambda row: row["position"]))


def artifacts(conn: Connection, run_id: str, as_of: int | None = None) -> tuple[Artifact, ...]:
    """By path; where a path was recorded again, the newest."""
    rows = _of_run(conn, tables.run_artifacts, run_id, as_of)
    return tuple(_artifact(row) for row in sorted(rows, key=lambda row: row["path"]))


def find_artifact(conn: Connection, run_id: str, path: str, as_of: int | None = None) -> Artifact | None:
    found = [each for each in artifacts(conn, run_id, as_of) if each.path == path]
    return found[0] if found else None


def _states(as_of: int | None) -> Select[Any]:
    states, runs = tables.run_states, tables.runs
    request = [
        runs.c[name] for name in ("requested_at", "requested_by", "recipe", "priority", "external", "request")
    ]
    return (
        select(*states.c, *request).join(runs, runs.c.run_id == states.c.run_id).where(holds(states, as_of))
    )


def _of_run(conn: Connection, table: Table, run_id: str, as_of: int | None) -> list[Any]:
    query = select(table).where(table.c.run_id == run_id, holds(table, as_of))
    return list(conn.execute(query).mappings())


def _tags(conn: Connection, run_ids: Collection[str], as_of: int | None) -> dict[str, dict[str, str]]:
    table = tables.run_tags
    query = select(table).where(table.c.run_id.in_(run_ids), holds(table, as_of))
    found: dict[str, dict[str, str]] = {}
    for row in sorted(conn.execute(query).mappings(), key=_by_key):
        found.setdefault(row["run_id"], {})[row["key"]] = row["value"]
    return found


def _by_key(row: Any) -> Any:
    return row["key"]


def _summary(row: Any, tags: dict[str, dict[str, str]]) -> dict[str, Any]:
    copied = (
        *("run_id", "position", "version", "experiment_id", "name", "status", "recipe", "attempt", "step"),
        *("priority", "external", "hidden", "requested_by"),
    )
    times = ("requested_at", "started_at", "updated_at", "ended_at")
    return (
        {name: row[name] for name in copied}
        | {name: _moment(row[name]) for name in times}
        | {"tags": tags.get(row["run_id"], {})}
    )


def _failure(row: Any) -> Failure | None:
    if row["status"] != "failed":
        return None
    event = _failed.decode(row["outcome"])
    return Failure(
        reason=event.reason,
        error_class=event.error_class,
        message=event.message,
        last_lines=event.last_lines,
    )


def _attempt(row: Any) -> Attempt:
    return Attempt(
        attempt=row["attempt"],
        worker=row["worker"],
        epoch=row["epoch"],
        resumed_from=row["resumed_from"] and _resume_point.decode(row["resumed_from"]),
        started_at=from_micros(row["started_at"]),
        ended_at=_moment(row["ended_at"]),
        ending=row["ending"],
        environment=row["environment"] and _environment.decode(row["environment"]),
    )


def _checkpoint(row: Any) -> Checkpoint:
    copied = ("attempt", "step", "digest", "size_bytes", "loss", "position", "deleted_by")
    return Checkpoint(
        **{name: row[name] for name in copied},
        covers=Covers(version=row["covers_version"], offset=row["covers_offset"]),
        saved_at=from_micros(row["saved_at"]),
        deleted_at=_moment(row["deleted_at"]),
    )


def _artifact(row: Any) -> Artifact:
    copied = ("path", "attempt", "digest", "size_bytes", "media_type")
    return Artifact(
        **{name: row[name] for name in copied},
        position=row["valid_from"],
        recorded_at=from_micros(row["recorded_at"]),
    )


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
