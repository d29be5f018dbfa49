"""Attempts of a run that is executed elsewhere: started, kept alive, told and ended by whoever executes it.

What is told carries the epoch of the lease in X-Lease-Epoch. Each request may come again, as answers get
lost: what is so already is answered like the first time.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from litestar import Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body, FromPath

from runledger.api.answers import AttemptAnswer, Heartbeat, Written
from runledger.api.attempt_requests import (
    ArtifactRequest,
    AttemptRequest,
    CheckpointRequest,
    EndRequest,
    EnvironmentRequest,
    HeartbeatRequest,
    ParamsRequest,
)
from runledger.api.http.encoding import JsonResponse
from runledger.api.http.etags import etag
from runledger.api.http.given import GivenBackend, GivenMetadata
from runledger.api.reading import attempts
from runledger.api.writing import ending, telling
from runledger.api.writing.attempts import AttemptInPath, LeaseEpoch, Place, place_of
from runledger.api.writing.claiming import take_up
from runledger.tracker.ids import RunId

KNOWN = ResponseSpec(AttemptAnswer, description="The worker's attempt, which began before.")
NO_STORE = {"Cache-Control": "no-store"}

GivenPlace: TypeAlias = NamedDependency[Place]
"""The attempt, and the epoch in which whoever tells of it holds its lease."""


def provide_place(
    run_id: FromPath[str], attempt: AttemptInPath, x_lease_epoch: LeaseEpoch, metadata: GivenMetadata
) -> Place:
    """Asks for the metadata for the reason that `api.app.provide_metadata` gives."""
    return place_of(run_id, attempt, x_lease_epoch)


@post("/", sync_to_thread=True, summary="Start an attempt, or go on with it", responses={200: KNOWN})
def start_attempt(
    backend: GivenBackend,
    metadata: GivenMetadata,
    run_id: FromPath[str],
    data: Annotated[AttemptRequest, Body(description="Which process, and how long it may stay silent.")],
) -> Response[AttemptAnswer]:
    """The lease in a new epoch, and the checkpoint to go on from.

    A run that failed or is paused goes on with it. The same worker gets its attempt again, with its lease
    renewed, and one that was thought lost returns; of one that is over, the answer says how it ended. While
    another worker executes the run, the answer is 409.
    """
    taken = take_up(backend, RunId(run_id), data, metadata)
    return JsonResponse(taken.answer, status_code=201 if taken.is_new else 200, headers=NO_STORE)


@get("/{attempt:int}", sync_to_thread=True, summary="One attempt")
def show_attempt(
    backend: GivenBackend, run_id: FromPath[str], attempt: AttemptInPath
) -> Response[AttemptAnswer]:
    """With its lease, and what the log has of its telemetry. Read from the log itself."""
    return JsonResponse(attempts.show(backend, RunId(run_id), attempt), headers=NO_STORE)


@post("/{attempt:int}/heartbeat", status_code=200, sync_to_thread=True, summary="Renew an attempt's lease")
def beat(
    backend: GivenBackend,
    place: GivenPlace,
    data: Annotated[HeartbeatRequest, Body(description="How far it is, for those who watch.")],
) -> Response[Heartbeat]:
    """Answers what is asked of the attempt. A lease that is lost is 409: ask for the attempt again."""
    renewed = telling.beat(backend, place, data)
    return JsonResponse(renewed, headers=NO_STORE)


@post("/{attempt:int}/params", status_code=200, sync_to_thread=True, summary="Record params")
def record_params(
    backend: GivenBackend,
    metadata: GivenMetadata,
    place: GivenPlace,
    data: Annotated[ParamsRequest, Body(description="Those known only after the start.")],
) -> Response[Written]:
    """A param once recorded never changes: another value is 409."""
    return _written(telling.params(backend, place, data, metadata))


@post("/{attempt:int}/environment", status_code=200, sync_to_thread=True, summary="Record the environment")
def record_environment(
    backend: GivenBackend,
    metadata: GivenMetadata,
    place: GivenPlace,
    data: Annotated[EnvironmentRequest, Body(description="What the attempt runs on.")],
) -> Response[Written]:
    """Once for each attempt. Compared with the attempt that saved the checkpoint: is the resume exact?"""
    return _written(telling.environment(backend, place, data, metadata))


@post("/{attempt:int}/checkpoints", status_code=200, sync_to_thread=True, summary="Record a checkpoint")
def record_checkpoint(
    backend: GivenBackend,
    metadata: GivenMetadata,
    place: GivenPlace,
    data: Annotated[CheckpointRequest, Body(description="The state, and its evaluations.")],
) -> Response[Written]:
    """With the evaluations of its state, all or nothing. Blobs and telemetry that it names come before it."""
    return _written(telling.checkpoint(backend, place, data, metadata))


@post("/{attempt:int}/artifacts", status_code=200, sync_to_thread=True, summary="Record an artifact")
def record_artifact(
    backend: GivenBackend,
    metadata: GivenMetadata,
    place: GivenPlace,
    data: Annotated[ArtifactRequest, Body(description="A file whose blob is there.")],
) -> Response[Written]:
    """Under a relative name; the same name with other bytes is a newer file."""
    return _written(telling.artifact(backend, place, data, metadata))


@post("/{attempt:int}/end", status_code=200, sync_to_thread=True, summary="End an attempt")
def end_attempt(
    backend: GivenBackend,
    metadata: GivenMetadata,
    place: GivenPlace,
    data: Annotated[EndRequest, Body(description="How it ended.")],
) -> Response[Written]:
    """And with it its lease. One that has ended otherwise is 409."""
    return _written(ending.end(backend, place, data, metadata))


def _written(written: Written) -> Response[Written]:
    return JsonResponse(written, headers=etag(written.version))


router = Router(
    "/runs/{run_id:str}/attempts",
    tags=["executed elsewhere"],
    dependencies={"place": Provide(provide_place, sync_to_thread=False)},
    route_handlers=[
        start_attempt,
        show_attempt,
        beat,
        record_params,
        record_environment,
        record_checkpoint,
        record_artifact,
        end_attempt,
    ],
)
