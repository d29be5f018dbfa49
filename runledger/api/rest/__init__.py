"""The routes of the REST API, one module for each noun."""

from __future__ import annotations

from runledger.api.rest import (
    attempts,
    benchmarks,
    blobs,
    datasets,
    evaluations,
    experiments,
    external,
    health,
    logs,
    metrics,
    recipes,
    runs,
    scorers,
    stream,
    telemetry,
)

VERSIONED = (
    experiments.router,
    runs.router,
    external.router,
    attempts.router,
    telemetry.router,
    metrics.router,
    logs.router,
    recipes.router,
    scorers.router,
    datasets.router,
    benchmarks.router,
    evaluations.router,
    blobs.router,
    stream.router,
    health.router,
)
"""Under /api/v1."""
UNVERSIONED = (health.show_metrics,)
