"""From a launch request to a run in the log: spec completed, material made, all of it in one append.

The log holds only resolved specs, so everything that the request leaves open is settled here: the
recipe's newest announced version, the preset, the defaults, and the digests of what it describes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection

from api.answers import Launched
from api.backend import Backend
from api.errors import Fault, Invalid, UnknownRecipe
from api.reading import links
from api.requests import LaunchRequest
from api.writing import idempotency, material, naming
from api.writing.idempotency import Done, KeyTaken
from tracker import schemas
from tracker.aggregates.errors import ExperimentIsArchived
from tracker.aggregates.experiment import CreateExperiment
from tracker.aggregates.run import RequestRun
from tracker.envelope import Metadata
from tracker.errors import BadInput
from tracker.ids import RunId, new_id, run_stream
from tracker.spec import DeviceRequest, JsonObject, Limits, RunSpec
from tracker.store import announcements
from tracker.store.announcements import RecipeAnnouncement

MAX_INTEGER = 2**63 - 1
PLACEHOLDER = "0" * 64
"""Stands for a digest or id while the rest of a spec is checked."""


def launch(backend: Backend, request: LaunchRequest, metadata: Metadata, key: str | None) -> Launched:
    if key is None:
        return _launched(backend, _append(backend, request, metadata, lambda done: None))
    print_ = idempotency.fingerprint(request)
    done = _found(backend, metadata.actor, key, print_)
    if done is None:
        try:
            claim = partial(_claim, metadata.actor, key, print_)
            done = _append(backend, request, metadata, claim)
        except KeyTaken:
            done = _found(backend, metadata.actor, key, print_)
            assert done is not None
    return _launched(backend, done)


Within = Callable[[Connection], None]


def _append(
    backend: Backend,
    request: LaunchRequest,
    metadata: Metadata,
    claim: Callable[[Done], Within | None],
) -> Done:
    recipe = find_recipe(backend, request.recipe)
    values, supplies = resolve_spec(backend, recipe, request)
    experiment = naming.by_id_or_name(backend, request.experiment)
    if experiment.state is not None and experiment.state.is_archived:
        raise ExperimentIsArchived(experiment.experiment_id)
    creation = (
        (CreateExperiment(experiment_id=experiment.experiment_id, name=request.experiment),)
        if experiment.state is None
        else ()
    )
    done = Done(run_id=new_id(), experiment_id=experiment.experiment_id)
    run = _request_run(request, metadata, recipe, values, done)
    backend.dispatcher.dispatch_all(*creation, *supplies, run, metadata=metadata, within=claim(done))
    return done


def _request_run(
    request: LaunchRequest,
    metadata: Metadata,
    recipe: RecipeAnnouncement,
    values: JsonObject,
    done: Done,
) -> RequestRun:
    spec = RunSpec(recipe=recipe.name, version=recipe.version, digest=recipe.digest, values=values)
    return RequestRun(
        run_id=RunId(done.run_id),
        experiment_id=done.experiment_id,
        name=request.name or " ".join(filter(None, (recipe.name, request.preset))),
        spec=spec,
        tags=request.tags,
        priority=request.priority,
        limits=msgspec.convert(request.limits, Limits, from_attributes=True),
        device=msgspec.convert(request.device, DeviceRequest, from_attributes=True),
        worker_labels=request.worker_labels,
        requested_by=metadata.actor,
    )


def find_recipe(backend: Backend, name: str) -> RecipeAnnouncement:
    """The newest version that is announced, by whichever worker. Raises `UnknownRecipe`.

    A worker that was away for a while still counts: the run waits for it in the queue.
    """
    with backend.rows() as conn:
        present = announcements.recipes(conn)
        announced = [*present, *announcements.recipes(conn, seen_within_seconds=None)]
    for recipe in announced:
        if recipe.name == name:
            return recipe
    known = ", ".join(sorted({recipe.name for recipe in announced})) or "none"
    raise UnknownRecipe(f"no worker has announced a recipe {name!r}; announced: {known}")


def resolve_spec(
    backend: Backend, recipe: RecipeAnnouncement, request: LaunchRequest
) -> tuple[JsonObject, list[material.Command]]:
    """The complete, valid values, and the commands that register what the request described.

    Checked with placeholders first, so that nothing is made for a spec that is refused.
    """
    _check_integers(request.spec, "$.spec")
    values = schemas.merge(_preset(recipe, request.preset), request.spec)
    described = [
        (place, kind, value)
        for place, kind, value in schemas.references(recipe.schema, values)
        if not isinstance(value, str)
    ]
    for place, _, value in described:
        if isinstance(value, dict):
            values = _put(values, place, PLACEHOLDER)
    values = _complete(recipe, values)
    supplies: list[material.Command] = []
    for place, kind, value in described:
        made = material.of_reference(backend, _in_spec(place), kind, value)
        values = _put(values, place, made.reference)
        supplies.extend(made.commands)
    _check_references(backend, recipe, values, [place for place, _, _ in described])
    return values, supplies


def _complete(recipe: RecipeAnnouncement, values: JsonObject) -> JsonObject:
    try:
        return schemas.complete(recipe.schema, values)
    except BadInput as error:
        raise BadInput(_in_spec(error.place), error.problem) from None


def _check_references(
    backend: Backend, recipe: RecipeAnnouncement, values: JsonObject, made: Sequence[str]
) -> None:
    for place, kind, value in schemas.references(recipe.schema, values):
        if place not in made:
            material.of_reference(backend, _in_spec(place), kind, value)


def _preset(recipe: RecipeAnnouncement, name: str | None) -> JsonObject:
    if name is None:
        return {}
    if name not in recipe.presets:
        known = ", ".join(sorted(recipe.presets)) or "none"
        raise UnknownRecipe(f"recipe {recipe.name!r} has no preset {name!r}; its presets: {known}")
    preset: JsonObject = recipe.presets[name].get("spec", {})
    return preset


def _in_spec(place: str) -> str:
    return "$.spec" + place.removeprefix("$")


_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


def _put(values: Any, place: str, reference: str) -> Any:
    """A copy of `values` with `reference` at `place` (`$.data.train`, `$.parts[0]`)."""
    found = _STEP.match(place.removeprefix("$"))
    if found is None:
        return reference
    rest = "$" + place.removeprefix("$")[found.end() :]
    if found[1] is not None:
        return {**values, found[1]: _put(values[found[1]], rest, reference)}
    index = int(found[2])
    return [*values[:index], _put(values[index], rest, reference), *values[index + 1 :]]


def _check_integers(value: Any, place: str) -> None:
    """JSON has integers of any size; a spec is stored as MessagePack, which has not."""
    if isinstance(value, dict):
        for key, below in value.items():
            _check_integers(below, f"{place}.{key}")
    elif isinstance(value, list):
        for index, below in enumerate(value):
            _check_integers(below, f"{place}[{index}]")
    elif isinstance(value, int) and not -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
        raise Invalid([Fault(place, "must fit into 64 bits")])


def _found(backend: Backend, holder: str, key: str, print_: str) -> Done | None:
    with backend.rows() as conn:
        return idempotency.find(conn, holder, key, print_)


def _claim(holder: str, key: str, print_: str, done: Done) -> Within:
    return lambda conn: idempotency.claim(conn, holder, key, print_, done)


def _launched(backend: Backend, done: Done) -> Launched:
    requested = backend.log.read(run_stream(RunId(done.run_id)), limit=1)[0]
    return Launched(
        run_id=done.run_id,
        experiment_id=done.experiment_id,
        position=requested.position,
        version=requested.version,
        links=links.of_run(done.run_id),
    )
