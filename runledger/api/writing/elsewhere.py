"""Runs that are executed elsewhere: requested like any other, and never put into a queue of ours."""

from __future__ import annotations

from runledger.api.answers import Launched
from runledger.api.attempt_requests import ExternalRunRequest
from runledger.api.backend import Backend
from runledger.api.writing import naming
from runledger.api.writing.idempotency import Done
from runledger.api.writing.launching import launched
from runledger.api.writing.telling import told_at
from runledger.tracker.aggregates.experiment import CreateExperiment
from runledger.tracker.aggregates.registry import RUN
from runledger.tracker.aggregates.run import RequestRun
from runledger.tracker.envelope import Metadata
from runledger.tracker.ids import RunId, new_id
from runledger.tracker.resolving import check_integers
from runledger.tracker.spec import RunSpec

RECIPE = "external"
"""What stands where the recipe of a run does; no worker announces it."""


def request_run(backend: Backend, request: ExternalRunRequest, metadata: Metadata) -> Launched:
    """Raises `RunAlreadyRequested` for the id of another run, and `ExperimentIsArchived`.

    The same request again is success, also where its experiment was renamed or archived meanwhile.
    """
    check_integers(request.params, "$.params")
    occurred_at = told_at(request)
    run_id = RunId(request.run_id or new_id())
    experiment_id = _experiment_of(backend, run_id, request.experiment)
    creation: tuple[CreateExperiment, ...] = ()
    if experiment_id is None:
        experiment_id, creation = naming.for_new_run(backend, request.experiment)
    command = RequestRun(
        run_id=run_id,
        experiment_id=experiment_id,
        name=request.name or f"run {run_id[:8]}",
        spec=RunSpec(recipe=RECIPE, version=1, digest="", values=dict(request.params)),
        tags=request.tags,
        external=True,
        requested_by=metadata.actor,
    )
    backend.dispatcher.dispatch_all(*creation, command, metadata=metadata, occurred_at=occurred_at)
    return launched(backend, Done(run_id=run_id, experiment_id=experiment_id))


def _experiment_of(backend: Backend, run_id: RunId, text: str) -> str | None:
    """The experiment of the run, if it is there already and `text` means, or meant, that one."""
    run = backend.dispatcher.find(RUN, run_id)
    if run is None or not naming.is_or_was(backend, run.requested.experiment_id, text):
        return None
    return run.requested.experiment_id
