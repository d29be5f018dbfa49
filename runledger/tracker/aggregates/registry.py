"""The aggregates by their kind, and which of them a command is for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, get_args

import msgspec

from runledger.tracker.aggregates import benchmark, dataset, evaluation, experiment, log, run
from runledger.tracker.events.base import Event
from runledger.tracker.ids import Stream

State = TypeVar("State")
AnyCommand = (
    run.Command | experiment.Command | dataset.Command | benchmark.Command | evaluation.Command | log.Command
)


class Aggregate(msgspec.Struct, Generic[State], frozen=True, kw_only=True):
    """`decide` and `evolve` take the commands and events of this kind only; `of` hands in no others."""

    kind: str
    id_field: str
    """Where its commands carry the aggregate's id."""
    commands: tuple[type[AnyCommand], ...]
    decide: Callable[[State | None, Any], tuple[Event, ...]]
    evolve: Callable[[State | None, Any], State]

    def stream(self, id: str) -> Stream:
        return Stream(f"{self.kind}-{id}")


RUN = Aggregate[run.Run](
    kind="run", id_field="run_id", commands=get_args(run.Command), decide=run.decide, evolve=run.evolve
)
EXPERIMENT = Aggregate[experiment.Experiment](
    kind="experiment",
    id_field="experiment_id",
    commands=get_args(experiment.Command),
    decide=experiment.decide,
    evolve=experiment.evolve,
)
DATASET = Aggregate[dataset.Dataset](
    kind="dataset",
    id_field="digest",
    commands=get_args(dataset.Command),
    decide=dataset.decide,
    evolve=dataset.evolve,
)
BENCHMARK = Aggregate[benchmark.Benchmark](
    kind="benchmark",
    id_field="benchmark_id",
    commands=get_args(benchmark.Command),
    decide=benchmark.decide,
    evolve=benchmark.evolve,
)
EVALUATION = Aggregate[evaluation.Evaluation](
    kind="evaluation",
    id_field="evaluation_id",
    commands=get_args(evaluation.Command),
    decide=evaluation.decide,
    evolve=evaluation.evolve,
)
LOG = Aggregate[log.LogLife](
    kind="log", id_field="log_id", commands=(log.RecordRestore,), decide=log.decide, evolve=log.evolve
)

_BY_COMMAND: dict[type, Aggregate[Any]] = {
    command: aggregate
    for aggregate in (RUN, EXPERIMENT, DATASET, BENCHMARK, EVALUATION, LOG)
    for command in aggregate.commands
}


def of(command: AnyCommand) -> tuple[Aggregate[Any], Stream]:
    """The aggregate that decides on the command, and the stream of the one that it names."""
    aggregate = _BY_COMMAND[type(command)]
    return aggregate, aggregate.stream(getattr(command, aggregate.id_field))
