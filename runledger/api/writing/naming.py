"""Experiments by name. A name stands for one experiment, however many clients create it at once.

The id of an experiment is made of its name, so two who create it write to the same stream, and one of
them finds it there. Where that experiment has been renamed since, the next id made of the name is tried.
"""

from __future__ import annotations

import uuid
from itertools import count

import msgspec

from runledger.api.backend import Backend
from runledger.api.errors import ExperimentNameTaken
from runledger.projections import experiments
from runledger.tracker.aggregates.errors import ExperimentIsArchived
from runledger.tracker.aggregates.experiment import CreateExperiment, Experiment
from runledger.tracker.aggregates.registry import EXPERIMENT
from runledger.tracker.events.experiment import ExperimentCreated, ExperimentRenamed
from runledger.tracker.ids import ExperimentId, experiment_stream

REMEMBERED = 1_000
NAMESPACE = uuid.UUID("5b7a3c1e-6a0c-4bb8-9f0e-5d0a6f1c2a11")


class Named(msgspec.Struct, frozen=True):
    experiment_id: ExperimentId
    state: Experiment | None
    """None: it does not exist yet, and this is the id to create it under."""


def by_id_or_name(backend: Backend, text: str) -> Named:
    """The experiment with this id, else the one of this name, else the id for a new one."""
    state = backend.dispatcher.find(EXPERIMENT, text)
    return Named(ExperimentId(text), state) if state is not None else by_name(backend, text)


def by_name(backend: Backend, name: str) -> Named:
    """What bore the name when it was asked for last is asked first, and believed if it still does."""
    last_id = backend.named.get(name)
    state = None if last_id is None else backend.dispatcher.find(EXPERIMENT, last_id)
    if last_id is not None and state is not None and state.name == name:
        return Named(last_id, state)
    named = _look_up(backend, name)
    if named.state is not None:
        if len(backend.named) >= REMEMBERED:
            backend.named.clear()
        backend.named[name] = named.experiment_id
    return named


def for_new_run(backend: Backend, text: str) -> tuple[ExperimentId, tuple[CreateExperiment, ...]]:
    """The experiment that a run is requested in, and what creates it. Raises `ExperimentIsArchived`."""
    named = by_id_or_name(backend, text)
    if named.state is None:
        return named.experiment_id, (CreateExperiment(experiment_id=named.experiment_id, name=text),)
    if named.state.is_archived:
        raise ExperimentIsArchived(named.experiment_id)
    return named.experiment_id, ()


def is_or_was(backend: Backend, experiment_id: str, text: str) -> bool:
    """Whether `text` is the experiment's id, or a name that it has or had."""
    recorded = backend.log.read(experiment_stream(ExperimentId(experiment_id)))
    names = (each.event for each in recorded)
    return text == experiment_id or any(
        isinstance(event, ExperimentCreated | ExperimentRenamed) and event.name == text for event in names
    )


def check_free(backend: Backend, name: str, but_for: str | None = None) -> Named:
    """The id that is free for this name. Raises `ExperimentNameTaken`."""
    named = by_name(backend, name)
    if named.state is not None and named.experiment_id != but_for:
        raise ExperimentNameTaken(name, named.experiment_id)
    return named


def _look_up(backend: Backend, name: str) -> Named:
    with backend.views.read() as conn:
        found = experiments.find_experiment(conn, name)
    if found is not None:
        state = backend.dispatcher.find(EXPERIMENT, found.experiment_id)
        if state is not None and state.name == name:
            return Named(ExperimentId(found.experiment_id), state)
    return _by_made_id(backend, name)


def _by_made_id(backend: Backend, name: str) -> Named:
    for attempt in count():
        experiment_id = made_id(name, attempt)
        state = backend.dispatcher.find(EXPERIMENT, experiment_id)
        if state is None or state.name == name:
            return Named(experiment_id, state)
    raise AssertionError("count() has no end")


def made_id(name: str, attempt: int) -> ExperimentId:
    return ExperimentId(uuid.uuid5(NAMESPACE, f"{attempt}:{name}").hex)
