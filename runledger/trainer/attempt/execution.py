"""Runs a job's recipe and says how it ended. Every way of ending becomes one `Ended` record."""

from __future__ import annotations

import importlib
import logging
import traceback
from pathlib import Path
from typing import Any

import msgspec

from runledger.tracker.failures import failed
from runledger.tracker.journal import Ended, Progress
from runledger.tracker.journal_writer import Journal
from runledger.tracker.staging import unpack
from runledger.trainer import recipes
from runledger.trainer.attempt.context import AttemptContext
from runledger.trainer.attempt.control import Control
from runledger.trainer.attempt.job import Folder, Job
from runledger.trainer.errors import RecipeChanged
from runledger.trainer.plain import final_metrics
from runledger.trainer.recipe import Recipe

logger = logging.getLogger(__name__)


class Terminated(BaseException):
    """SIGTERM: the grace period for a stop at a step boundary is over."""


def execute(
    folder: Folder, job: Job, journal: Journal, control: Control, imported: str | None = None
) -> Ended:
    """Train; whatever happens, the journal ends with how.

    `imported` is the digest of the recipe's source as it was when this process loaded it, ahead of the job.
    """
    context: AttemptContext | None = None
    try:
        journal.append(Progress(phase="starting"))
        recipe = _load(job, imported)
        context = AttemptContext(folder, job, journal, control, _source_of(job.reference))
        ended = _train(recipe, folder, job, context, control)
    except Terminated:
        ended = Ended(outcome="stopped", step=context.last_step if context else None)
    except BaseException as error:  # noqa: BLE001 — the shell of this process: how it ended is its result
        traceback.print_exc()
        ended = failed(error, context.last_step if context else None)
    journal.cut()
    journal.append(ended)
    journal.sync()
    return ended


def _train(recipe: Recipe[Any], folder: Folder, job: Job, context: AttemptContext, control: Control) -> Ended:
    spec = msgspec.convert(job.values, recipe.spec)
    if job.checkpoint is not None:
        unpack(Path(job.checkpoint.path), folder.checkpoint)
    metrics = recipe.train(spec, context)
    context.record_environment()
    context.check_all_saved()
    return Ended(
        outcome="stopped" if control.was_told else "completed",
        step=context.last_step,
        metrics=final_metrics(metrics),
    )


def _load(job: Job, imported: str | None) -> Recipe[Any]:
    recipe = recipes.load(job.reference)
    found = recipes.digest_of(recipe, job.reference)
    if job.recipe_digest and {found, imported or found} != {job.recipe_digest}:
        raise RecipeChanged(job.reference)
    return recipe


def _source_of(reference: str) -> Path | None:
    source = importlib.import_module(reference.partition(":")[0]).__file__
    return Path(source) if source else None
