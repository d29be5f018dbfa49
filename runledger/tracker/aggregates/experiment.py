"""The experiment: a named group of runs that can be put away and taken out again.

That no two experiments share a name is not kept here: a stream knows only itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import assert_never

import msgspec
from msgspec.structs import replace

from runledger.tracker.aggregates.errors import ExperimentAlreadyCreated, ExperimentIsArchived
from runledger.tracker.aggregates.facts import is_same
from runledger.tracker.aggregates.texts import check_name
from runledger.tracker.errors import NotFound
from runledger.tracker.events.experiment import (
    ExperimentArchived,
    ExperimentCreated,
    ExperimentEvent,
    ExperimentRenamed,
    ExperimentRestored,
)
from runledger.tracker.ids import ExperimentId


class ExperimentCommand(msgspec.Struct, frozen=True, kw_only=True):
    experiment_id: ExperimentId


class CreateExperiment(ExperimentCommand, frozen=True, kw_only=True):
    name: str
    description: str = ""


class RenameExperiment(ExperimentCommand, frozen=True, kw_only=True):
    name: str


class ArchiveExperiment(ExperimentCommand, frozen=True, kw_only=True):
    reason: str = ""


class RestoreExperiment(ExperimentCommand, frozen=True, kw_only=True):
    reason: str = ""


Command = CreateExperiment | RenameExperiment | ArchiveExperiment | RestoreExperiment


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    created: ExperimentCreated
    name: str
    is_archived: bool = False


def decide(state: Experiment | None, command: Command) -> tuple[ExperimentEvent, ...]:
    if isinstance(command, CreateExperiment):
        return _create(state, command)
    if state is None:
        raise NotFound("experiment", command.experiment_id)
    match command:
        case RenameExperiment():
            return _rename(state, command)
        case ArchiveExperiment():
            return () if state.is_archived else (ExperimentArchived(reason=command.reason),)
        case RestoreExperiment():
            return (ExperimentRestored(reason=command.reason),) if state.is_archived else ()
        case _:
            assert_never(command)


def _create(state: Experiment | None, command: CreateExperiment) -> tuple[ExperimentEvent, ...]:
    check_name(command.name)
    created = ExperimentCreated(name=command.name, description=command.description)
    if state is None:
        return (created,)
    if not is_same(state.created, created):
        raise ExperimentAlreadyCreated(command.experiment_id)
    return ()


def _rename(state: Experiment, command: RenameExperiment) -> tuple[ExperimentEvent, ...]:
    check_name(command.name)
    if state.is_archived:
        raise ExperimentIsArchived(command.experiment_id)
    return (ExperimentRenamed(name=command.name),) if command.name != state.name else ()


def evolve(state: Experiment | None, event: ExperimentEvent) -> Experiment:
    if isinstance(event, ExperimentCreated):
        return Experiment(version=1, created=event, name=event.name)
    if state is None:
        raise ValueError(f"{event.tag} stands before ExperimentCreated")
    version = state.version + 1
    match event:
        case ExperimentRenamed():
            return replace(state, version=version, name=event.name)
        case ExperimentArchived():
            return replace(state, version=version, is_archived=True)
        case ExperimentRestored():
            return replace(state, version=version, is_archived=False)
        case _:
            assert_never(event)


def fold(events: Iterable[ExperimentEvent]) -> Experiment | None:
    return reduce(evolve, events, None)
