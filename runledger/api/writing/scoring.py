"""Whether a benchmark's scorer is known: one of those that workers have announced.

Where nobody has announced any scorer yet, nothing is refused: the worker that comes will say.
"""

from __future__ import annotations

from runledger.api.backend import Backend
from runledger.api.errors import Fault, Invalid
from runledger.api.writing.material import Material
from runledger.tracker.aggregates.benchmark import DefineBenchmark
from runledger.tracker.aggregates.registry import BENCHMARK
from runledger.tracker.store.announcements import Announced, RecipeAnnouncement


def check(
    announced: Announced, place: str, scorer: str, version: int, recipe: RecipeAnnouncement | None = None
) -> None:
    """Raises `Invalid`, which names those that are known; `recipe` leaves out those of other recipes."""
    known = announced.scorers(recipe)
    if known and (scorer, version) not in {(each.name, each.version) for each in known}:
        names = ", ".join(sorted({f"{each.name} {each.version}" for each in known}))
        raise Invalid(
            [Fault(place, f"no worker has announced a scorer {scorer!r} {version}; announced: {names}")]
        )


def check_benchmark(
    backend: Backend, announced: Announced, place: str, made: Material, recipe: RecipeAnnouncement
) -> None:
    """As `check`, of a benchmark that a spec names or describes."""
    for command in made.commands:
        if isinstance(command, DefineBenchmark):
            check(announced, place, command.scorer, command.scorer_version, recipe)
            return
    defined = backend.dispatcher.load(BENCHMARK, made.reference).defined
    check(announced, place, defined.scorer, defined.scorer_version, recipe)
