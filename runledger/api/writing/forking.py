"""A fork: a new run that begins from another run's checkpoint, with the values that were changed.

What the request leaves out is as in the other run. That run stays as it is.
"""

from __future__ import annotations

from functools import partial
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from runledger.api.answers import Launched
from runledger.api.backend import Backend
from runledger.api.requests import ForkRequest, LimitsChange
from runledger.api.writing import naming
from runledger.api.writing.idempotency import Done
from runledger.api.writing.launching import Claim, appended, find_recipe, once, resolve_spec
from runledger.tracker.aggregates.errors import RunIsExternal
from runledger.tracker.aggregates.registry import RUN
from runledger.tracker.aggregates.run import RequestRun, Run, fork_point
from runledger.tracker.aggregates.texts import MAX_NAME_CHARS
from runledger.tracker.envelope import Metadata
from runledger.tracker.events.base import ForkPoint
from runledger.tracker.ids import RunId, new_id
from runledger.tracker.spec import DeviceRequest, JsonObject, RunSpec
from runledger.tracker.store.announcements import Announced, RecipeAnnouncement

T = TypeVar("T")


class _Fork(msgspec.Struct, frozen=True):
    """What one Idempotency-Key stands for."""

    run_id: str
    request: ForkRequest


def fork(
    backend: Backend, run_id: RunId, request: ForkRequest, metadata: Metadata, key: str | None
) -> Launched:
    """Raises `NotFound`, `RunIsExternal`, `CheckpointNotKept`, and what a launch raises."""
    append = partial(_append, backend, run_id, request, metadata)
    return once(backend, _Fork(run_id, request), metadata, key, append)


def _append(
    backend: Backend,
    run_id: RunId,
    request: ForkRequest,
    metadata: Metadata,
    announced: Announced,
    claim: Claim,
) -> Launched:
    run = backend.dispatcher.load(RUN, run_id)
    if run.is_external:
        raise RunIsExternal(run_id)
    fork_point(run, run_id, run.spec, request.step)  # nothing is made for a fork of nothing
    recipe = _recipe(announced, run.spec)
    values, supplies = resolve_spec(backend, announced, recipe, run.spec.values, request.spec)
    experiment = request.experiment or run.requested.experiment_id
    experiment_id, creation = naming.for_new_run(backend, experiment)
    done = Done(run_id=new_id(), experiment_id=experiment_id)
    spec = _spec(recipe, values)
    point = fork_point(run, run_id, spec, request.step)
    forked = _request_run(run, request, metadata, spec, point, done)
    return appended(backend, metadata, claim(done), done, *creation, *supplies, forked)


def _recipe(announced: Announced, spec: RunSpec) -> RecipeAnnouncement:
    """The very source of the other run where a worker has it, else the newest. Raises `UnknownRecipe`."""
    for recipe in announced.recipes(None):
        if (recipe.name, recipe.digest) == (spec.recipe, spec.digest):
            return recipe
    return find_recipe(announced, spec.recipe)


def _spec(recipe: RecipeAnnouncement, values: JsonObject) -> RunSpec:
    return RunSpec(recipe=recipe.name, version=recipe.version, digest=recipe.digest, values=values)


def _request_run(
    run: Run, request: ForkRequest, metadata: Metadata, spec: RunSpec, point: ForkPoint, done: Done
) -> RequestRun:
    before = run.requested
    return RequestRun(
        run_id=RunId(done.run_id),
        experiment_id=done.experiment_id,
        name=request.name or f"{run.name[: MAX_NAME_CHARS - 30]} from step {point.step}",
        spec=spec,
        tags=_or(request.tags, run.tags),
        priority=_or(request.priority, before.priority),
        limits=msgspec.structs.replace(before.limits, **_given(request.limits)),
        device=msgspec.convert(_or(request.device, before.device), DeviceRequest, from_attributes=True),
        worker_labels=_or(request.worker_labels, before.worker_labels),
        forked_from=point,
        requested_by=metadata.actor,
    )


def _or(given: T | UnsetType, before: T) -> T:
    return before if given is UNSET else given


def _given(change: LimitsChange) -> dict[str, int | float | None]:
    return {name: value for name, value in msgspec.structs.asdict(change).items() if value is not UNSET}
