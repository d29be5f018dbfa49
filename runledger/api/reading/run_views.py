"""Runs as answers: from the read model, and from the log itself where the read model has not seen one yet."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec
from sqlalchemy import Connection, select

from runledger.api.answers import Artifact, Checkpoint, Progress, Run, RunRow
from runledger.api.backend import Backend, Views
from runledger.api.reading import links, unseen
from runledger.api.reading.shapes import shaped
from runledger.projections.mlflow import state as mlflow
from runledger.projections.mlflow.tables import mlflow_sink
from runledger.projections.runs import answers
from runledger.projections.runs import queries as runs
from runledger.tracker.aggregates.run import ACTIVE
from runledger.tracker.errors import NotFound
from runledger.tracker.ids import RunId, run_stream
from runledger.tracker.store import leases


def row_of(summary: answers.RunSummary) -> RunRow:
    return msgspec.structs.replace(shaped(summary, RunRow), links=links.of_run(summary.run_id))


def checkpoint_of(checkpoint: answers.Checkpoint) -> Checkpoint:
    shape = shaped(checkpoint, Checkpoint)
    return msgspec.structs.replace(shape, links=links.of_blob(checkpoint.digest))


def artifact_of(artifact: answers.Artifact) -> Artifact:
    return msgspec.structs.replace(shaped(artifact, Artifact), links=links.of_blob(artifact.digest))


def check_exists(backend: Backend, run_id: str, as_of: int | None = None) -> None:
    """Asked of the log, which knows every run at once. Raises `NotFound`, also for one requested later."""
    if as_of is None:
        is_there = backend.log.version(run_stream(RunId(run_id))) > 0
    else:
        first = backend.log.read(run_stream(RunId(run_id)), limit=1)
        is_there = bool(first) and first[0].position <= as_of
    if not is_there:
        raise NotFound("run", run_id)


def find(backend: Backend, views: Views, run_id: str, as_of: int | None) -> Run:
    """Raises `NotFound`, also for a run that was not there yet at `as_of`."""
    with views.read() as conn:
        view = runs.get_run(conn, run_id, as_of)
        in_mlflow = _in_mlflow(conn, run_id, backend.settings.mlflow_public_url)
    if view is None:
        view = unseen.run_from_log(backend.log, run_id, as_of)
    run = shaped(view, Run)
    progress = _progress(backend, run) if as_of is None and run.status in ACTIVE else None
    return msgspec.structs.replace(run, links=links.of_run(run_id) | in_mlflow, progress=progress)


def _in_mlflow(conn: Connection, run_id: str, public_url: str | None) -> dict[str, str]:
    """The link to the run's page in MLflow, once MLflow has it. The sink's password is not in it."""
    mirror = mlflow.link(conn, run_id)
    url = public_url or conn.scalar(select(mlflow_sink.c.url))
    return {} if mirror is None or url is None else {"mlflow": mirror.url(_without_user(url))}


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _progress(backend: Backend, run: Run) -> Progress | None:
    with backend.rows() as conn:
        lease = leases.get(conn, run_stream(RunId(run.run_id)))
    if lease is None or lease.attempt != run.attempt:
        return None
    return Progress(
        phase=lease.phase,
        done=lease.done,
        total=lease.total,
        progressed_at=lease.progressed_at,
        heartbeat_at=lease.renewed_at,
    )
