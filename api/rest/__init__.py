"""The routes of the REST API, one module for each noun."""

from __future__ import annotations

from api.rest import (
    benchmarks,
    blobs,
    datasets,
    evaluations,
    experiments,
    health,
    logs,
    metrics,
    recipes,
    runs,
    stream,
)

VERSIONED = (
    experiments.router,
    runs.router,
    metrics.router,
    logs.router,
    recipes.router,
    datasets.router,
    benchmarks.router,
    evaluations.router,
    blobs.router,
    stream.router,
    health.router,
)
"""Under /api/v1."""
UNVERSIONED = (health.show_metrics,)
