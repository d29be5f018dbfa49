"""Runs: launch, list, one whole, what belongs to it, and what people change of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from litestar import Response, Router, get, patch, post
from litestar.params import Body, FromPath, QueryParameter
from msgspec import UNSET

from runledger.api.answers import (
    Artifact,
    Checkpoint,
    Evaluation,
    Fact,
    Launched,
    Page,
    Run,
    RunRow,
    Status,
    Written,
)
from runledger.api.errors import Fault, Invalid
from runledger.api.http.encoding import JsonResponse
from runledger.api.http.etags import IfMatch, etag
from runledger.api.http.given import GivenBackend, GivenMetadata, GivenViews
from runledger.api.http.paging import DEFAULT_LIMIT, Cursor, Limit, seal, unseal
from runledger.api.http.parameters import AsOf
from runledger.api.reading import evaluation_views, run_views
from runledger.api.reading.events import fact_of
from runledger.api.requests import ForkRequest, LaunchRequest, ReasonRequest, RunPatch
from runledger.api.writing.changing import changed
from runledger.api.writing.forking import fork
from runledger.api.writing.idempotency import IdempotencyKey
from runledger.api.writing.launching import launch
from runledger.projections.runs import queries as runs
from runledger.tracker.aggregates import run as commands
from runledger.tracker.aggregates.registry import AnyCommand
from runledger.tracker.errors import NotFound
from runledger.tracker.ids import RunId, run_stream


@post("/", sync_to_thread=True, summary="Launch a run")
def launch_run(
    backend: GivenBackend,
    metadata: GivenMetadata,
    data: Annotated[LaunchRequest, Body(description="What is to be trained.")],
    idempotency_key: IdempotencyKey = None,
) -> Response[Launched]:
    """Complete the spec, make and register what it describes, and request the run: all of it or nothing."""
    launched = launch(backend, data, metadata, idempotency_key)
    headers = etag(launched.version) | {"Location": launched.links["self"]}
    return JsonResponse(launched, status_code=201, headers=headers)


@get("/", sync_to_thread=True, summary="List runs")
def list_runs(
    views: GivenViews,
    experiment: Annotated[
        str | None, QueryParameter(description="Id of an experiment.", required=False)
    ] = None,
    status: Annotated[Status | None, QueryParameter(required=False)] = None,
    hidden: Annotated[bool, QueryParameter(description="Show hidden runs too.", required=False)] = False,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    as_of: AsOf = None,
) -> Page[RunRow]:
    """The newest first."""
    with views.read() as conn:
        page = runs.list_runs(
            conn,
            experiment=experiment,
            status=None if status is None else [status],
            hidden=hidden,
            limit=limit,
            after=unseal(cursor, int),
            as_of=as_of,
        )
    rows = [run_views.row_of(summary) for summary in page.runs]
    return Page(items=rows, next=None if page.next is None else seal(page.next))


@get("/{run_id:str}", sync_to_thread=True, summary="One run")
def show_run(
    backend: GivenBackend, views: GivenViews, run_id: FromPath[str], as_of: AsOf = None
) -> Response[Run]:
    """With the progress of the attempt that executes. Readable as soon as it was launched."""
    run = run_views.find(backend, views, run_id, as_of)
    return JsonResponse(run, headers=etag(run.version) | {"Cache-Control": "no-store"})


@get("/{run_id:str}/events", sync_to_thread=True, summary="A run's events")
def list_run_events(
    backend: GivenBackend,
    run_id: FromPath[str],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    as_of: AsOf = None,
) -> Page[Fact]:
    """Its life from the log itself, in order; telemetry has streams of its own."""
    after = unseal(cursor, int) or 0
    recorded = backend.log.read(run_stream(RunId(run_id)), after=after, limit=limit + 1)
    if as_of is not None:
        recorded = [each for each in recorded if each.position <= as_of]
    if not recorded and after == 0:
        raise NotFound("run", run_id)
    shown = recorded[:limit]
    more = len(recorded) > limit
    return Page(items=[fact_of(each) for each in shown], next=seal(shown[-1].version) if more else None)


@get("/{run_id:str}/checkpoints", sync_to_thread=True, summary="A run's checkpoints")
def list_checkpoints(
    backend: GivenBackend, views: GivenViews, run_id: FromPath[str], as_of: AsOf = None
) -> Page[Checkpoint]:
    """In the order in which they were recorded; a deleted one says so."""
    run_views.check_exists(backend, run_id, as_of)
    with views.read() as conn:
        found = runs.checkpoints(conn, run_id, as_of)
    return Page(items=[run_views.checkpoint_of(each) for each in found])


@get("/{run_id:str}/artifacts", sync_to_thread=True, summary="A run's artifacts")
def list_artifacts(
    backend: GivenBackend, views: GivenViews, run_id: FromPath[str], as_of: AsOf = None
) -> Page[Artifact]:
    """By path; the newest where a path was recorded again."""
    run_views.check_exists(backend, run_id, as_of)
    with views.read() as conn:
        found = runs.artifacts(conn, run_id, as_of)
    return Page(items=[run_views.artifact_of(each) for each in found])


@get("/{run_id:str}/evaluations", sync_to_thread=True, summary="A run's evaluations")
def list_run_evaluations(
    backend: GivenBackend,
    views: GivenViews,
    run_id: FromPath[str],
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    as_of: AsOf = None,
) -> Page[Evaluation]:
    run_views.check_exists(backend, run_id, as_of)
    return evaluation_views.page(views, limit, cursor, run=run_id, as_of=as_of)


Reason = Annotated[ReasonRequest | None, Body(description="Why, for those who read it later.")]


@post("/{run_id:str}/fork", sync_to_thread=True, summary="Fork a run")
def fork_run(
    backend: GivenBackend,
    metadata: GivenMetadata,
    run_id: FromPath[str],
    data: Annotated[ForkRequest | None, Body(description="From where, and what is otherwise.")] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response[Launched]:
    """A new run that begins from a checkpoint of this one, in whatever state this one is, and leaves it."""
    launched = fork(backend, RunId(run_id), data or ForkRequest(), metadata, idempotency_key)
    headers = etag(launched.version) | {"Location": launched.links["self"]}
    return JsonResponse(launched, status_code=201, headers=headers)


@post("/{run_id:str}/cancel", status_code=200, sync_to_thread=True, summary="Cancel a run")
def cancel_run(
    backend: GivenBackend,
    metadata: GivenMetadata,
    run_id: FromPath[str],
    data: Reason = None,
    if_match: IfMatch = None,
) -> Response[Written]:
    """At once where nothing executes, else at the next step boundary. Asking twice changes nothing."""
    command = commands.RequestCancellation(run_id=RunId(run_id), reason=_reason(data))
    return changed(backend, metadata, if_match, command)


@post("/{run_id:str}/pause", status_code=200, sync_to_thread=True, summary="Pause a run")
def pause_run(
    backend: GivenBackend,
    metadata: GivenMetadata,
    run_id: FromPath[str],
    data: Reason = None,
    if_match: IfMatch = None,
) -> Response[Written]:
    """At once where nothing executes, else at the next step boundary, with a checkpoint."""
    command = commands.RequestPause(run_id=RunId(run_id), reason=_reason(data))
    return changed(backend, metadata, if_match, command)


@post("/{run_id:str}/resume", status_code=200, sync_to_thread=True, summary="Resume a paused run")
def resume_run(
    backend: GivenBackend,
    metadata: GivenMetadata,
    run_id: FromPath[str],
    data: Reason = None,
    if_match: IfMatch = None,
) -> Response[Written]:
    """Back into the queue, as a new attempt from the last checkpoint."""
    command = commands.ResumeRun(run_id=RunId(run_id), reason=_reason(data))
    return changed(backend, metadata, if_match, command)


@post("/{run_id:str}/retry", status_code=200, sync_to_thread=True, summary="Retry a failed run")
def retry_run(
    backend: GivenBackend, metadata: GivenMetadata, run_id: FromPath[str], if_match: IfMatch = None
) -> Response[Written]:
    """Back into the queue, with a fresh allowance of attempts."""
    return changed(backend, metadata, if_match, commands.RetryRun(run_id=RunId(run_id)))


@patch("/{run_id:str}", sync_to_thread=True, summary="Rename, tag, note, hide or show a run")
def change_run(
    backend: GivenBackend,
    metadata: GivenMetadata,
    run_id: FromPath[str],
    data: Annotated[RunPatch, Body(description="What is absent stays as it is.")],
    if_match: IfMatch = None,
) -> Response[Written]:
    """All of it in one append, or nothing."""
    found = list(_changes(RunId(run_id), data))
    if not found:
        raise Invalid([Fault("$", "nothing to change")])
    return changed(backend, metadata, if_match, *found)


def _changes(run_id: RunId, data: RunPatch) -> Iterator[AnyCommand]:
    if data.name is not UNSET:
        yield commands.RenameRun(run_id=run_id, name=data.name)
    if data.tags:
        added = {key: value for key, value in data.tags.items() if value is not None}
        removed = tuple(key for key, value in data.tags.items() if value is None)
        yield commands.TagRun(run_id=run_id, added=added, removed=removed)
    if data.note is not UNSET:
        yield commands.NoteRun(run_id=run_id, note=data.note)
    if data.hidden is not UNSET:
        kind = commands.HideRun if data.hidden else commands.ShowRun
        yield kind(run_id=run_id)


def _reason(data: ReasonRequest | None) -> str:
    return "" if data is None else data.reason


router = Router(
    "/runs",
    tags=["runs"],
    opt={"projections": ["runs", "evaluations"]},
    route_handlers=[
        launch_run,
        list_runs,
        show_run,
        list_run_events,
        list_checkpoints,
        list_artifacts,
        list_run_evaluations,
        fork_run,
        cancel_run,
        pause_run,
        resume_run,
        retry_run,
        change_run,
    ],
)
