"""What an attempt needs before it can start: its job, with local copies of all that the spec names."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runledger.tracker import schemas
from runledger.tracker.aggregates import registry
from runledger.tracker.aggregates.run import Run
from runledger.trainer.attempt.job import BenchmarkFile, CheckpointFile, Folder, Job
from runledger.trainer.claims import Claim
from runledger.trainer.errors import RecipeNotHere
from runledger.trainer.recipes import Found
from runledger.trainer.services import Services

logger = logging.getLogger(__name__)


OnChunk = Callable[[], None]
"""Called as bytes come in; what it raises ends the preparation."""


def prepare(services: Services, claim: Claim, run: Run, folder: Folder, on_chunk: OnChunk) -> Job:
    """Raises `StoreUnavailable`, and `BlobMissing`, `BlobCorrupt` or `NotFound` for what nobody has."""
    recipe = _recipe(services, run)
    named = schemas.references(recipe.schema, run.spec.values)
    benchmarks = [_benchmark(services, id, on_chunk) for _, kind, id in named if kind == "benchmark"]
    return Job(
        run_id=claim.run_id,
        attempt=claim.attempt,
        reference=recipe.reference,
        recipe_digest=recipe.digest,
        values=run.spec.values,
        datasets={id: str(_dataset(services, id, on_chunk)) for _, kind, id in named if kind == "dataset"},
        benchmarks=tuple({found.benchmark_id: found for found in benchmarks}.values()),
        checkpoint=_checkpoint(services, run, folder, on_chunk),
        saved_step=None if run.last_checkpoint is None else run.last_checkpoint.step,
    )


def _recipe(services: Services, run: Run) -> Found:
    recipe = services.recipe(run.spec.recipe, run.spec.digest)
    if recipe is None:
        raise RecipeNotHere(run.spec.recipe, run.spec.digest)
    return recipe


def _dataset(services: Services, digest: Any, on_chunk: OnChunk) -> Path:
    """In the worker's cache; read-only, as attempts share it."""
    path = services.datasets / str(digest)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        services.blobs.fetch(digest, path, on_chunk=on_chunk)
        path.chmod(0o444)
    return path


def _benchmark(services: Services, benchmark_id: Any, on_chunk: OnChunk) -> BenchmarkFile:
    defined = services.dispatcher.load(registry.BENCHMARK, benchmark_id).defined
    scorer = services.scorer(defined.scorer, defined.scorer_version)
    return BenchmarkFile(
        benchmark_id=benchmark_id,
        dataset=defined.dataset,
        path=str(_dataset(services, defined.dataset, on_chunk)),
        scorer=defined.scorer,
        scorer_version=defined.scorer_version,
        scorer_reference="" if scorer is None else scorer.reference,
        scorer_digest="" if scorer is None else scorer.digest,
    )


def _checkpoint(services: Services, run: Run, folder: Folder, on_chunk: OnChunk) -> CheckpointFile | None:
    """Where this attempt goes on from: its own run's, or at first the one that it was forked from."""
    point = run.attempts[-1].resumed_from or run.requested.forked_from
    if point is None:
        return None
    path = folder.path / "checkpoint.tar"
    services.blobs.fetch(point.digest, path, on_chunk=on_chunk)
    return CheckpointFile(path=str(path), step=point.step, digest=point.digest)
