"""All projections that the runner keeps up to date. The MLflow sink is a consumer of its own."""

from __future__ import annotations

from runledger.projections import benchmarks, datasets, evaluations, experiments, logs, metrics, runs
from runledger.projections.projection import Projection

PROJECTIONS: tuple[Projection, ...] = (
    experiments.PROJECTION,
    runs.PROJECTION,
    metrics.PROJECTION,
    logs.PROJECTION,
    evaluations.PROJECTION,
    datasets.PROJECTION,
    benchmarks.PROJECTION,
)


def find(name: str) -> Projection:
    """Raises `KeyError` for a name that no projection has."""
    return {each.name: each for each in PROJECTIONS}[name]
