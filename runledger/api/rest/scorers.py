"""Scorers: what predictions can be scored with, as the workers have announced it."""

from __future__ import annotations

from litestar import Router, get

from runledger.api.answers import Page, ScorerAnswer
from runledger.api.http.given import GivenBackend
from runledger.tracker.store import announcements
from runledger.tracker.store.announcements import ScorerAnnouncement


@get("/", sync_to_thread=True, summary="List scorers")
def list_scorers(backend: GivenBackend) -> Page[ScorerAnswer]:
    """By name, the newest version first; also of workers that are away for a while."""
    with backend.rows() as conn:
        scorers = announcements.scorers(conn)
        recipes = announcements.recipes(conn, seen_within_seconds=None)
    return Page(
        items=[
            _answer(scorer, sorted({recipe.name for recipe in recipes if scorer in recipe.scorers}))
            for scorer in scorers
        ]
    )


def _answer(scorer: ScorerAnnouncement, recipes: list[str]) -> ScorerAnswer:
    return ScorerAnswer(
        name=scorer.name,
        version=scorer.version,
        digest=scorer.digest,
        direction=scorer.direction,
        description=scorer.description,
        recipes=recipes,
    )


router = Router("/scorers", tags=["scorers"], route_handlers=[list_scorers])
