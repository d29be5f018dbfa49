"""Runledger, the ledger of record for model training: the names that programs import.

    import runledger

    with runledger.run("adding", params={"rate": 0.1}) as run:
        run.log({"loss": 0.3}, step=7)

Re-exports only, each loaded when it is first used: importing this costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from sys import modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.answers import Evaluation, Fact, Health, Launched, MetricSummary, Run, RunRow, Series
    from api.client import (
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
    from api.tracking.errors import CheckpointUnavailable, Misused, RunBusy, RunOver, TrackingError
    from api.tracking.jax_callback import jax_callback
    from api.tracking.log_handler import LogHandler
    from api.tracking.run import run
    from api.tracking.tracked_run import TrackedRun
    from api.tracking.transformers_callback import TransformersCallback
    from tracker.datasets import Item, Text, Trace, read_items
    from tracker.events.base import Score
    from trainer.recipe import Benchmark, BenchmarkRef, Context, DatasetRef, Diverged, OwnScorer, Recipe
    from trainer.scoring import Answer, Scorer
    from trainer.standalone import StandaloneContext
    from trainer.trying.rehearsal import Rehearsal

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
    "api.answers": "Evaluation Fact Health Launched MetricSummary Run RunRow Series",
    "api.client": "BadAnswer Client ClientError Invalid NotFound NotReachable Problem Refused ServerFault "
    "TimedOut Unavailable",
    "api.tracking.errors": "CheckpointUnavailable Misused RunBusy RunOver TrackingError",
    "api.tracking.jax_callback": "jax_callback",
    "api.tracking.log_handler": "LogHandler",
    "api.tracking.run": "run",
    "api.tracking.tracked_run": "TrackedRun",
    "api.tracking.transformers_callback": "TransformersCallback",
    "tracker.datasets": "Item Text Trace read_items",
    "tracker.events.base": "Score",
    "trainer.recipe": "Benchmark BenchmarkRef Context DatasetRef Diverged OwnScorer Recipe",
    "trainer.scoring": "Answer Scorer",
    "trainer.standalone": "StandaloneContext",
    "trainer.trying.rehearsal": "Rehearsal",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = import_module(_HOME_OF[name])
    except ImportError as problem:
        raise _hidden() or problem from None
    value: object = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _hidden() -> ImportError | None:
    """A program's own module of the name of one of Runledger's packages is found before that."""
    from pathlib import Path  # what goes wrong may take its time

    root = Path(__file__).parents[1]
    for name in ("api", "tracker", "trainer", "projections"):
        found = getattr(modules.get(name), "__file__", None)
        if found and not Path(found).is_relative_to(root / name):
            return ImportError(f"{found} hides Runledger's own package {name!r}: give it another name")
    return None
