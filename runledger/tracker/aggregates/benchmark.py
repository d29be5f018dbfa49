"""The benchmark: a held-out dataset, a scorer and a direction, and which evaluation is its baseline.

The definition never changes: another dataset or scorer is another benchmark. Whether an evaluation is
good enough to be promoted is judged outside; here it only matters which one is the baseline now.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import assert_never

import msgspec
from msgspec.structs import replace

from runledger.tracker.aggregates.errors import (
    BaselineAlreadyPromoted,
    BaselineNotPromoted,
    BenchmarkAlreadyDefined,
)
from runledger.tracker.aggregates.facts import is_same
from runledger.tracker.aggregates.texts import check_name
from runledger.tracker.errors import BadInput, NotFound
from runledger.tracker.events.benchmark import (
    BaselinePromoted,
    BaselineWithdrawn,
    BenchmarkDefined,
    BenchmarkEvent,
    Direction,
)
from runledger.tracker.ids import BenchmarkId, Digest


class BenchmarkCommand(msgspec.Struct, frozen=True, kw_only=True):
    benchmark_id: BenchmarkId


class DefineBenchmark(BenchmarkCommand, frozen=True, kw_only=True):
    name: str
    dataset: Digest
    scorer: str
    scorer_version: int
    direction: Direction
    tolerance: float = 0.0


class PromoteBaseline(BenchmarkCommand, frozen=True, kw_only=True):
    """`previous` is the baseline that the promoter saw: refused when it is another one by now."""

    evaluation_id: str
    previous: str | None
    evidence: dict[str, str] = {}
    reason: str


class WithdrawBaseline(BenchmarkCommand, frozen=True, kw_only=True):
    evaluation_id: str
    reason: str


Command = DefineBenchmark | PromoteBaseline | WithdrawBaseline


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    defined: BenchmarkDefined
    baseline: str | None = None
    """The evaluation that others are compared with."""


def decide(state: Benchmark | None, command: Command) -> tuple[BenchmarkEvent, ...]:
    if isinstance(command, DefineBenchmark):
        return _define(state, command)
    if state is None:
        raise NotFound("benchmark", command.benchmark_id)
    match command:
        case PromoteBaseline():
            return _promote(state, command)
        case WithdrawBaseline():
            return _withdraw(state, command)
        case _:
            assert_never(command)


def _define(state: Benchmark | None, command: DefineBenchmark) -> tuple[BenchmarkEvent, ...]:
    check_name(command.name)
    if not command.tolerance >= 0:
        raise BadInput("$.tolerance", "must not be negative")
    defined = BenchmarkDefined(
        name=command.name,
        dataset=command.dataset,
        scorer=command.scorer,
        scorer_version=command.scorer_version,
        direction=command.direction,
        tolerance=command.tolerance,
    )
    if state is None:
        return (defined,)
    if not is_same(state.defined, defined):
        raise BenchmarkAlreadyDefined(command.benchmark_id)
    return ()


def _promote(state: Benchmark, command: PromoteBaseline) -> tuple[BenchmarkEvent, ...]:
    if state.baseline == command.evaluation_id:
        return ()
    if state.baseline != command.previous:
        raise BaselineAlreadyPromoted(command.benchmark_id, state.baseline)
    return (
        BaselinePromoted(
            evaluation_id=command.evaluation_id,
            previous=state.baseline,
            evidence=command.evidence,
            reason=command.reason,
        ),
    )


def _withdraw(state: Benchmark, command: WithdrawBaseline) -> tuple[BenchmarkEvent, ...]:
    if state.baseline != command.evaluation_id:
        raise BaselineNotPromoted(command.benchmark_id, command.evaluation_id)
    return (BaselineWithdrawn(evaluation_id=command.evaluation_id, reason=command.reason),)


def evolve(state: Benchmark | None, event: BenchmarkEvent) -> Benchmark:
    if isinstance(event, BenchmarkDefined):
        return Benchmark(version=1, defined=event)
    if state is None:
        raise ValueError(f"{event.tag} stands before BenchmarkDefined")
    match event:
        case BaselinePromoted():
            return replace(state, version=state.version + 1, baseline=event.evaluation_id)
        case BaselineWithdrawn():
            return replace(state, version=state.version + 1, baseline=None)
        case _:
            assert_never(event)


def fold(events: Iterable[BenchmarkEvent]) -> Benchmark | None:
    return reduce(evolve, events, None)
