"""Recipes: what the workers that are there now can run, with the schema of the spec and the presets."""

from __future__ import annotations

from litestar import Router, get

from runledger.api.answers import Page, RecipeAnswer
from runledger.api.http.given import GivenBackend
from runledger.tracker.store import announcements
from runledger.tracker.store.announcements import RecipeAnnouncement, Worker


@get("/", sync_to_thread=True, summary="List recipes")
def list_recipes(backend: GivenBackend) -> Page[RecipeAnswer]:
    """By name, the newest version first."""
    with backend.rows() as conn:
        recipes = announcements.recipes(conn)
        workers = announcements.workers(conn, announcements.STALE_SECONDS)
    return Page(items=[_answer(recipe, workers) for recipe in recipes])


def _answer(recipe: RecipeAnnouncement, workers: list[Worker]) -> RecipeAnswer:
    return RecipeAnswer(
        name=recipe.name,
        version=recipe.version,
        digest=recipe.digest,
        description=recipe.description,
        devices=list(recipe.devices),
        schema=recipe.schema,
        presets=recipe.presets,
        scorers=sorted({scorer.name for scorer in recipe.scorers}),
        workers=[
            worker.worker_id
            for worker in workers
            if any((each.name, each.digest) == (recipe.name, recipe.digest) for each in worker.recipes)
        ],
    )


router = Router("/recipes", tags=["recipes"], route_handlers=[list_recipes])
