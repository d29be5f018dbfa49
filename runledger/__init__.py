"""Runledger, the ledger of record for model training: the names that programs import.

    import runledger

    with runledger.run("adding", params={"rate": 0.1}) as run:
        run.log({"loss": 0.3}, step=7)

Re-exports only, each loaded when it is first used: importing this costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runledger.api.answers import Evaluation, Fact, Health, Launched, MetricSummary, Run, RunRow, Series
    from runledger.api.client import (
        BadAnswer,
        Client,
        ClientError,
        Invalid,
        NotFound,
        NotReachable,
        Problem,
        Refused,
        ServerFault,
        TimedOut,
        Unavailable,
    )
    from runledger.api.tracking.errors import CheckpointUnavailable, Misused, RunBusy, RunOver, TrackingError
    from runledger.api.tracking.jax_callback import jax_callback
    from runledger.api.tracking.log_handler import LogHandler
    from runledger.api.tracking.run import run
    from runledger.api.tracking.tracked_run import TrackedRun
    from runledger.api.tracking.transformers_callback import TransformersCallback
    from runledger.tracker.datasets import Item, Text, Trace, read_items
    from runledger.tracker.events.base import Score
    from runledger.trainer.recipe import (
        Benchmark,
        BenchmarkRef,
        Context,
        DatasetRef,
        Diverged,
        OwnScorer,
        Recipe,
    )
    from runledger.trainer.scoring import Answer, Scorer
    from runledger.trainer.standalone import StandaloneContext
    from runledger.trainer.trying.rehearsal import Rehearsal

__all__ = [
    "Answer",
    "BadAnswer",
    "Benchmark",
    "BenchmarkRef",
    "CheckpointUnavailable",
    "Client",
    "ClientError",
    "Context",
    "DatasetRef",
    "Diverged",
    "Evaluation",
    "Fact",
    "Health",
    "Invalid",
    "Item",
    "Launched",
    "LogHandler",
    "MetricSummary",
    "Misused",
    "NotFound",
    "NotReachable",
    "OwnScorer",
    "Problem",
    "Recipe",
    "Refused",
    "Rehearsal",
    "Run",
    "RunBusy",
    "RunOver",
    "RunRow",
    "Score",
    "Scorer",
    "Series",
    "ServerFault",
    "StandaloneContext",
    "Text",
    "TimedOut",
    "Trace",
    "TrackedRun",
    "TrackingError",
    "TransformersCallback",
    "Unavailable",
    "jax_callback",
    "read_items",
    "run",
]

_HOMES = {
    "runledger.api.answers": "Evaluation Fact Health Launched MetricSummary Run RunRow Series",
    "runledger.api.client": "BadAnswer Client ClientError Invalid NotFound NotReachable Problem Refused "
    "ServerFault TimedOut Unavailable",
    "runledger.api.tracking.errors": "CheckpointUnavailable Misused RunBusy RunOver TrackingError",
    "runledger.api.tracking.jax_callback": "jax_callback",
    "runledger.api.tracking.log_handler": "LogHandler",
    "runledger.api.tracking.run": "run",
    "runledger.api.tracking.tracked_run": "TrackedRun",
    "runledger.api.tracking.transformers_callback": "TransformersCallback",
    "runledger.tracker.datasets": "Item Text Trace read_items",
    "runledger.tracker.events.base": "Score",
    "runledger.trainer.recipe": "Benchmark BenchmarkRef Context DatasetRef Diverged OwnScorer Recipe",
    "runledger.trainer.scoring": "Answer Scorer",
    "runledger.trainer.standalone": "StandaloneContext",
    "runledger.trainer.trying.rehearsal": "Rehearsal",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
