"""What an attempt elsewhere tells of itself: facts under its epoch's fence, in the order in which they come.

Whatever a body names, blobs and telemetry, is in place before the fact that names it. A repetition is
success: what is so already gives no event.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from runledger.api.answers import Heartbeat, Written
from runledger.api.attempt_requests import (
    ArtifactRequest,
    CheckpointRequest,
    EnvironmentRequest,
    EvaluationBody,
    HeartbeatRequest,
    ParamsRequest,
    ScoreBody,
    Told,
)
from runledger.api.backend import Backend
from runledger.api.errors import LeaseLost
from runledger.api.reading import attempts
from runledger.api.writing.attempts import Place, check_started, explain, load_external
from runledger.tracker import evaluating
from runledger.tracker.aggregates.errors import RunRefused
from runledger.tracker.aggregates.registry import EVALUATION, AnyCommand
from runledger.tracker.aggregates.run import RecordArtifact, RecordCheckpoint, RecordEnvironment, RecordParams
from runledger.tracker.envelope import EPOCH, Metadata
from runledger.tracker.errors import BadInput, Fenced
from runledger.tracker.events.base import Covers, Score
from runledger.tracker.ids import BenchmarkId, Digest, benchmark_stream
from runledger.tracker.resolving import check_integers
from runledger.tracker.store import leases

LATEST = datetime(2200, 1, 1, tzinfo=UTC)
STOPS: dict[str, Literal["cancel", "pause"]] = {"cancelling": "cancel", "pausing": "pause"}
"""What a status asks of the attempt that executes."""


def beat(backend: Backend, place: Place, request: HeartbeatRequest) -> Heartbeat:
    """Hold on for as long again as the lease was taken for. Raises `LeaseLost` and `AttemptEnded`."""
    check_started(backend, place)
    with backend.rows() as conn:
        lease = leases.get(conn, place.stream)
    seconds = 0.0 if lease is None else attempts.seconds_of(lease)
    is_renewed = leases.renew(
        backend.ledger, place.stream, place.epoch, seconds, request.phase, request.done, request.total
    )
    run = load_external(backend, place.run_id)
    if not is_renewed or run.current is None or run.current.number != place.attempt:
        raise explain(backend, place, LeaseLost(place.run_id, place.attempt, place.epoch))
    return Heartbeat(stop=STOPS.get(run.status), lease_seconds=seconds)


def params(backend: Backend, place: Place, request: ParamsRequest, metadata: Metadata) -> Written:
    check_integers(request.params, "$.params")
    command = RecordParams(run_id=place.run_id, attempt=place.attempt, params=request.params)
    return tell(backend, place, metadata, request, command)


def environment(backend: Backend, place: Place, request: EnvironmentRequest, metadata: Metadata) -> Written:
    if request.code_diff_digest is not None:
        backend.blobs.size(request.code_diff_digest)
    command = RecordEnvironment(
        run_id=place.run_id,
        attempt=place.attempt,
        versions=request.versions,
        devices=request.devices,
        flags=request.flags,
        seed=request.seed,
        code_revision=request.code_revision,
        code_diff_digest=_digest(request.code_diff_digest),
        lock_digest=_digest(request.lock_digest),
        dataset_digest=_digest(request.dataset_digest),
    )
    return tell(backend, place, metadata, request, command)


def artifact(backend: Backend, place: Place, request: ArtifactRequest, metadata: Metadata) -> Written:
    _check_size(backend, request.digest, request.size_bytes)
    command = RecordArtifact(
        run_id=place.run_id,
        attempt=place.attempt,
        path=request.path,
        digest=Digest(request.digest),
        size_bytes=request.size_bytes,
        media_type=request.media_type,
    )
    return tell(backend, place, metadata, request, command)


def checkpoint(backend: Backend, place: Place, request: CheckpointRequest, metadata: Metadata) -> Written:
    """The checkpoint and the evaluations of its state, in one append."""
    _check_size(backend, request.digest, request.size_bytes)
    _check_covers(backend, place, request)
    _check_evaluations(backend, request.evaluations)
    command = RecordCheckpoint(
        run_id=place.run_id,
        attempt=place.attempt,
        step=request.step,
        digest=Digest(request.digest),
        size_bytes=request.size_bytes,
        loss=None if request.loss is None else float(request.loss),
        covers=Covers(version=request.covers.version, offset=request.covers.offset),
    )
    return tell(backend, place, metadata, request, command, *_evaluations(backend, place, request, metadata))


def tell(backend: Backend, place: Place, metadata: Metadata, request: Told, *commands: AnyCommand) -> Written:
    """One append under the fence; the first command is the run's. Raises what the commands are refused with,
    and `LeaseLost` and `AttemptEnded` where that is why.
    """
    check_started(backend, place)
    try:
        done = backend.dispatcher.dispatch_all(
            *commands, metadata=metadata, fence=place.fence, occurred_at=told_at(request)
        )
    except (Fenced, RunRefused) as refusal:
        raise explain(backend, place, refusal) from None
    return Written(position=done.position, version=done.version)


def told_at(request: Told) -> datetime | None:
    """When it happened. Raises `BadInput` for what no database, and no calendar of MLflow's, could keep."""
    at = request.occurred_at
    if at is not None and not EPOCH <= at < LATEST:
        raise BadInput("$.occurred_at", f"must lie between {EPOCH:%Y} and {LATEST:%Y}")
    return at


def _evaluations(
    backend: Backend, place: Place, request: CheckpointRequest, metadata: Metadata
) -> Iterable[AnyCommand]:
    """Those that are not in the log yet: told once, with their checkpoint."""
    found = [_found(place, request, each) for each in request.evaluations]
    fresh = [each for each in found if backend.dispatcher.find(EVALUATION, each.evaluation_id) is None]
    if not fresh:
        return []
    run = load_external(backend, place.run_id)
    attempt = run.started(place.attempt)
    worker = "" if attempt is None else attempt.worker
    return [
        command
        for each in fresh
        for command in evaluating.commands(each, worker=worker, epoch=place.epoch, actor=metadata.actor)
    ]


def _found(place: Place, request: CheckpointRequest, body: EvaluationBody) -> evaluating.Found:
    return evaluating.Found(
        run_id=place.run_id,
        attempt=place.attempt,
        step=request.step,
        checkpoint=Digest(request.digest),
        benchmark_id=body.benchmark_id,
        scores=tuple(_score(each) for each in body.scores),
        predictions=Digest(body.predictions),
        items=body.items,
    )


def _score(body: ScoreBody) -> Score:
    return Score(
        name=body.name,
        value=float(body.value),
        low=None if body.low is None else float(body.low),
        high=None if body.high is None else float(body.high),
        count=body.count,
        unscored=body.unscored,
        method=body.method,
    )


def _check_size(backend: Backend, digest: str, size_bytes: int) -> None:
    """Raises `BlobMissing`, and `BadInput` for bytes that are not as many as the body says."""
    stored = backend.blobs.size(digest)
    if stored != size_bytes:
        raise BadInput("$.size_bytes", f"blob {digest} has {stored} bytes, not {size_bytes}")


def _check_covers(backend: Backend, place: Place, request: CheckpointRequest) -> None:
    version = backend.log.version(place.telemetry)
    if request.covers.version > version:
        raise BadInput(
            "$.covers.version", f"{request.covers.version} is not in the log yet, which has {version}"
        )


def _check_evaluations(backend: Backend, bodies: Iterable[EvaluationBody]) -> None:
    for index, body in enumerate(bodies):
        backend.blobs.size(body.predictions)
        if backend.log.last(benchmark_stream(BenchmarkId(body.benchmark_id))) is None:
            raise BadInput(f"$.evaluations[{index}].benchmark_id", f"no benchmark {body.benchmark_id!r}")


def _digest(text: str | None) -> Digest | None:
    return None if text is None else Digest(text)
