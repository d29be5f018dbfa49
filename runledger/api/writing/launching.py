"""From a launch request to a run in the log: spec completed, material made, all of it in one append.

The log holds only resolved specs, so everything that the request leaves open is settled here: the
recipe's newest announced version, the preset, the defaults, and the digests of what it describes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection

from runledger.api.answers import Launched
from runledger.api.backend import Backend
from runledger.api.errors import UnknownRecipe
from runledger.api.reading import links
from runledger.api.requests import LaunchRequest
from runledger.api.writing import idempotency, material, naming, scoring
from runledger.api.writing.idempotency import Done, KeyTaken
from runledger.tracker.aggregates.registry import AnyCommand
from runledger.tracker.aggregates.run import RequestRun
from runledger.tracker.envelope import Metadata
from runledger.tracker.ids import RunId, new_id, run_stream
from runledger.tracker.resolving import resolve
from runledger.tracker.schemas import ReferenceKind
from runledger.tracker.spec import DeviceRequest, JsonObject, Limits, RunSpec
from runledger.tracker.store import announcements, hints
from runledger.tracker.store.announcements import Announced, RecipeAnnouncement

Within = Callable[[Connection], None]
Claim = Callable[[Done], Within | None]
"""What claims the request's key, if it has one, for what is done within the append."""


def launch(backend: Backend, request: LaunchRequest, metadata: Metadata, key: str | None) -> Launched:
    append = partial(_append, backend, request, metadata)
    return once(backend, request, metadata, key, append)


def once(
    backend: Backend,
    request: msgspec.Struct,
    metadata: Metadata,
    key: str | None,
    append: Callable[[Announced, Claim], Launched],
) -> Launched:
    """What `append` gives, or what it gave when the same request came with the same key before."""
    if key is None:
        return append(_announced(backend), lambda done: None)
    print_ = idempotency.fingerprint(request)
    with backend.rows() as conn:
        done = idempotency.find(conn, metadata.actor, key, print_)
        announced = announcements.read(conn) if done is None else None
    if announced is not None:
        try:
            return append(announced, partial(_claim, metadata.actor, key, print_))
        except KeyTaken:
            done = _found(backend, metadata.actor, key, print_)
    assert done is not None
    return launched(backend, done)


def _append(
    backend: Backend,
    request: LaunchRequest,
    metadata: Metadata,
    announced: Announced,
    claim: Claim,
) -> Launched:
    recipe = find_recipe(announced, request.recipe)
    preset = _preset(recipe, request.preset)
    values, supplies = resolve_spec(backend, announced, recipe, preset, request.spec)
    experiment_id, creation = naming.for_new_run(backend, request.experiment)
    done = Done(run_id=new_id(), experiment_id=experiment_id)
    run = _request_run(request, metadata, recipe, values, done)
    return appended(backend, metadata, claim(done), done, *creation, *supplies, run)


def appended(
    backend: Backend, metadata: Metadata, within: Within | None, done: Done, *commands: AnyCommand
) -> Launched:
    """All of it at once, and the workers are told."""
    position = backend.dispatcher.dispatch_all(*commands, metadata=metadata, within=within).position
    hints.ring(backend.ledger)
    return _launched(done, position=position, version=1)


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


def find_recipe(announced: Announced, name: str) -> RecipeAnnouncement:
    """The newest version that is announced, by whichever worker. Raises `UnknownRecipe`.

    A worker that was away for a while still counts: the run waits for it in the queue.
    """
    for seconds in (announcements.STALE_SECONDS, None):
        for recipe in announced.recipes(seconds):
            if recipe.name == name:
                return recipe
    known = ", ".join(sorted({recipe.name for recipe in announced.recipes(None)})) or "none"
    raise UnknownRecipe(f"no worker has announced a recipe {name!r}; announced: {known}")


def resolve_spec(
    backend: Backend,
    announced: Announced,
    recipe: RecipeAnnouncement,
    under: JsonObject,
    given: JsonObject,
) -> tuple[JsonObject, list[material.Command]]:
    """The complete, valid values of what is given over `under`, and what registers what was described."""
    supplies: list[material.Command] = []

    def make(place: str, kind: ReferenceKind, value: Any) -> str:
        made = material.of_reference(backend, place, kind, value)
        if kind == "benchmark":
            scoring.check_benchmark(backend, announced, place, made, recipe)
        supplies.extend(made.commands)
        return made.reference

    values = resolve(recipe.schema, under, given, make)
    return values, supplies


def _preset(recipe: RecipeAnnouncement, name: str | None) -> JsonObject:
    if name is None:
        return {}
    if name not in recipe.presets:
        known = ", ".join(sorted(recipe.presets)) or "none"
        raise UnknownRecipe(f"recipe {recipe.name!r} has no preset {name!r}; its presets: {known}")
    preset: JsonObject = recipe.presets[name].get("spec", {})
    return preset


def _announced(backend: Backend) -> Announced:
    with backend.rows() as conn:
        return announcements.read(conn)


def _found(backend: Backend, holder: str, key: str, print_: str) -> Done | None:
    with backend.rows() as conn:
        return idempotency.find(conn, holder, key, print_)


def _claim(holder: str, key: str, print_: str, done: Done) -> Within:
    return lambda conn: idempotency.claim(conn, holder, key, print_, done)


def launched(backend: Backend, done: Done) -> Launched:
    """The answer for a run that is in the log."""
    requested = backend.log.read(run_stream(RunId(done.run_id)), limit=1)[0]
    return _launched(done, position=requested.position, version=requested.version)


def _launched(done: Done, *, position: int, version: int) -> Launched:
    return Launched(
        run_id=done.run_id,
        experiment_id=done.experiment_id,
        position=position,
        version=version,
        links=links.of_run(done.run_id),
    )
