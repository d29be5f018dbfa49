"""What is known of runs: the list, one run whole, its tags, attempts, checkpoints and artifacts."""

from __future__ import annotations

from projections.projection import Projection
from projections.runs.answers import Artifact, Attempt, Checkpoint, Failure, RunPage, RunSummary, RunView
from projections.runs.fold import fold
from projections.runs.queries import (
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
from projections.runs.tables import TABLES

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
