"""Experiments: named groups of runs."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, get, patch, post
from litestar.params import Body, FromPath, QueryParameter

from runledger.api.answers import Experiment, ExperimentWritten, Page, Written
from runledger.api.http.encoding import JsonResponse
from runledger.api.http.etags import IfMatch, etag
from runledger.api.http.given import GivenBackend, GivenMetadata, GivenViews
from runledger.api.http.paging import DEFAULT_LIMIT, Cursor, Limit, seal, unseal
from runledger.api.http.parameters import AsOf
from runledger.api.reading.shapes import shaped
from runledger.api.reading.unseen import not_seen
from runledger.api.requests import ExperimentPatch, ExperimentRequest, ReasonRequest
from runledger.api.writing import naming
from runledger.api.writing.changing import changed
from runledger.projections import experiments
from runledger.tracker.aggregates import experiment as commands
from runledger.tracker.ids import ExperimentId


@post("/", sync_to_thread=True, summary="Create an experiment")
def create_experiment(
    backend: GivenBackend,
    metadata: GivenMetadata,
    data: Annotated[ExperimentRequest, Body(description="Its name must be new.")],
) -> Response[ExperimentWritten]:
    named = naming.check_free(backend, data.name)
    command = commands.CreateExperiment(
        experiment_id=named.experiment_id, name=data.name, description=data.description
    )
    done = backend.dispatcher.dispatch(command, metadata, expected_version=0)
    written = ExperimentWritten(
        experiment_id=named.experiment_id, position=done.position, version=done.version
    )
    location = {"Location": f"/api/v1/experiments/{named.experiment_id}"}
    return JsonResponse(written, status_code=201, headers=etag(done.version) | location)


@get("/", sync_to_thread=True, summary="List experiments")
def list_experiments(
    views: GivenViews,
    archived: Annotated[bool, QueryParameter(required=False, description="Show archived ones too.")] = False,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    as_of: AsOf = None,
) -> Page[Experiment]:
    """The newest first."""
    with views.read() as conn:
        page = experiments.list_experiments(
            conn, archived=archived, limit=limit, after=unseal(cursor, int), as_of=as_of
        )
    items = [shaped(each, Experiment) for each in page.experiments]
    return Page(items=items, next=None if page.next is None else seal(page.next))


@get("/{experiment_id:str}", sync_to_thread=True, summary="One experiment")
def show_experiment(
    backend: GivenBackend, views: GivenViews, experiment_id: FromPath[str], as_of: AsOf = None
) -> Response[Experiment]:
    with views.read() as conn:
        found = experiments.get_experiment(conn, experiment_id, as_of)
    if found is None:
        not_seen(backend, "experiment", experiment_id, as_of)
    return JsonResponse(shaped(found, Experiment), headers=etag(found.version))


@patch("/{experiment_id:str}", sync_to_thread=True, summary="Rename an experiment")
def rename_experiment(
    backend: GivenBackend,
    metadata: GivenMetadata,
    experiment_id: FromPath[str],
    data: Annotated[ExperimentPatch, Body(description="Its new name, which nobody else may bear.")],
    if_match: IfMatch = None,
) -> Response[Written]:
    naming.check_free(backend, data.name, but_for=experiment_id)
    command = commands.RenameExperiment(experiment_id=ExperimentId(experiment_id), name=data.name)
    return changed(backend, metadata, if_match, command)


Reason = Annotated[ReasonRequest | None, Body(description="Why, for those who read it later.")]


@post("/{experiment_id:str}/archive", status_code=200, sync_to_thread=True, summary="Archive an experiment")
def archive_experiment(
    backend: GivenBackend,
    metadata: GivenMetadata,
    experiment_id: FromPath[str],
    data: Reason = None,
    if_match: IfMatch = None,
) -> Response[Written]:
    """It takes no new runs, and lists leave it out."""
    reason = "" if data is None else data.reason
    command = commands.ArchiveExperiment(experiment_id=ExperimentId(experiment_id), reason=reason)
    return changed(backend, metadata, if_match, command)


@post("/{experiment_id:str}/restore", status_code=200, sync_to_thread=True, summary="Restore an experiment")
def restore_experiment(
    backend: GivenBackend,
    metadata: GivenMetadata,
    experiment_id: FromPath[str],
    data: Reason = None,
    if_match: IfMatch = None,
) -> Response[Written]:
    """As it was before it was archived."""
    reason = "" if data is None else data.reason
    command = commands.RestoreExperiment(experiment_id=ExperimentId(experiment_id), reason=reason)
    return changed(backend, metadata, if_match, command)


router = Router(
    "/experiments",
    tags=["experiments"],
    opt={"projections": ["experiments"]},
    route_handlers=[
        create_experiment,
        list_experiments,
        show_experiment,
        rename_experiment,
        archive_experiment,
        restore_experiment,
    ],
)
