"""Every command finds its aggregate."""

from __future__ import annotations

import inspect
import types
from typing import get_args

import pytest

from runledger.tracker.aggregates import benchmark, dataset, evaluation, experiment, log, registry, run
from runledger.tracker.aggregates import errors as leaves
from runledger.tracker.aggregates.run import HideRun, RequestRun, deciding, state
from runledger.tracker.errors import Refused
from runledger.tracker.events.run import RunEvent, RunRequested
from runledger.tracker.ids import RunId

ALL = (
    registry.RUN,
    registry.EXPERIMENT,
    registry.DATASET,
    registry.BENCHMARK,
    registry.EVALUATION,
    registry.LOG,
)


def test_a_command_names_its_stream() -> None:
    aggregate, stream = registry.of(HideRun(run_id=RunId("r1")))
    assert aggregate is registry.RUN
    assert stream == "run-r1"


@pytest.mark.parametrize("module", [run, experiment, dataset, benchmark, evaluation, log])
def test_every_command_class_is_in_its_union(module: types.ModuleType) -> None:
    verbs = {
        each
        for _, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, tuple(base for a in ALL for base in a.commands)) and not _is_base(each)
    }
    known = {command for aggregate in ALL for command in aggregate.commands}
    assert verbs <= known


def _is_base(each: type) -> bool:
    return each.__name__.endswith("Command")


def test_every_command_has_the_id_that_its_aggregate_goes_by() -> None:
    for aggregate in ALL:
        for command in aggregate.commands:
            assert aggregate.id_field in command.__struct_fields__


def test_every_leaf_says_which_rule_it_stands_for_and_is_drawn_in_the_tree() -> None:
    for name, leaf in inspect.getmembers(leaves, inspect.isclass):
        if issubclass(leaf, Refused) and leaf is not Refused:
            assert leaf.__doc__, name
            assert leaves.__doc__ and name in leaves.__doc__, name


def test_a_run_decides_on_every_command_and_evolves_with_every_event() -> None:
    assert {RequestRun, *deciding._DECIDE} == set(get_args(run.Command))
    assert {RunRequested, *state._EVOLVE} == set(get_args(RunEvent))
