"""What is known of runs: the list, one run whole, its tags, attempts, checkpoints and artifacts."""

from __future__ import annotations

from runledger.projections.projection import Projection
from runledger.projections.runs.answers import (
    Artifact,
    Attempt,
    Checkpoint,
    Failure,
    RunPage,
    RunSummary,
    RunView,
)
from runledger.projections.runs.fold import fold
from runledger.projections.runs.queries import (
    artifacts,
    attempts,
    checkpoints,
    count_by_status,
    environment,
    find_artifact,
    get_run,
    list_runs,
    params,
    tags,
)
from runledger.projections.runs.tables import TABLES

PROJECTION = Projection(name="runs", version=1, kinds=frozenset({"run"}), tables=TABLES, fold=fold)

__all__ = [
    "PROJECTION",
    "Artifact",
    "Attempt",
    "Checkpoint",
    "Failure",
    "RunPage",
    "RunSummary",
    "RunView",
    "artifacts",
    "attempts",
    "checkpoints",
    "count_by_status",
    "environment",
    "find_artifact",
    "get_run",
    "list_runs",
    "params",
    "tags",
]
