"""Runledger, the ledger of record for model training: the names that programs import.

    import runledger

    with runledger.Client() as ledger:
        launched = ledger.launch("lm", preset="arithmetic", experiment="adding")
        run = ledger.wait(launched.run_id)

Re-exports only. Loads neither litestar nor sqlalchemy nor jax.
"""

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
from trainer.recipe import Benchmark, Context, Recipe

__all__ = [
    "BadAnswer",
    "Benchmark",
    "Client",
    "ClientError",
    "Context",
    "Evaluation",
    "Fact",
    "Health",
    "Invalid",
    "Launched",
    "MetricSummary",
    "NotFound",
    "NotReachable",
    "Problem",
    "Recipe",
    "Refused",
    "Run",
    "RunRow",
    "Series",
    "ServerFault",
    "TimedOut",
    "Unavailable",
]
