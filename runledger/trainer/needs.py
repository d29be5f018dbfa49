"""What a run needs of a worker beside its recipe, devices and labels: the scorers of its benchmarks."""

from __future__ import annotations

import logging

from runledger.tracker import schemas
from runledger.tracker.aggregates import registry
from runledger.tracker.errors import NotFound
from runledger.tracker.ids import RunId, Stream, id_of
from runledger.tracker.store.dispatches import Dispatch
from runledger.trainer.recipes import Found
from runledger.trainer.services import Services

logger = logging.getLogger(__name__)

Scored = tuple[str, int]
"""Name and version of a scorer."""
REMEMBERED = 10_000
_needed: dict[Stream, frozenset[Scored]] = {}
"""By run. Specs and benchmarks never change, and what is left to others is looked at again and again."""


def scorers_missing(services: Services, row: Dispatch) -> list[str]:
    """The scorers that the run of this row needs and this worker has not, in words; as a rule none.

    What is missing is logged when it is found out.
    """
    recipe = services.recipe(row.recipe, row.recipe_digest)
    if recipe is None:
        return []
    is_new = row.stream not in _needed
    own = {(each.name, each.version) for each in recipe.own_scorers}
    missing = [
        scored for scored in _needs(services, recipe, row.stream) - own if not services.scorer(*scored)
    ]
    words = [f"{name!r} {version}" for name, version in sorted(missing)]
    if words and is_new:
        logger.warning("%s waits for a worker with the scorer %s", row.stream, " and ".join(words))
    return words


def _needs(services: Services, recipe: Found, stream: Stream) -> frozenset[Scored]:
    if stream not in _needed:
        if len(_needed) >= REMEMBERED:
            _needed.clear()
        _needed[stream] = frozenset(_scorers_of(services, recipe, RunId(id_of(stream))))
    return _needed[stream]


def _scorers_of(services: Services, recipe: Found, run_id: RunId) -> set[Scored]:
    """What is not known any more is found out where the run is prepared, which then fails with it."""
    found: set[Scored] = set()
    try:
        values = services.dispatcher.load(registry.RUN, run_id).spec.values
        for _, kind, reference in schemas.references(recipe.schema, values):
            if kind == "benchmark":
                defined = services.dispatcher.load(registry.BENCHMARK, reference).defined
                found.add((defined.scorer, defined.scorer_version))
    except NotFound:
        return set()
    return found
