"""The scorers that come with Runledger, and finding those that are installed beside them.

Found through the entry point group `runledger.scorers` and the references given. Only a process of its
own loads them (`trainer.recipes`), as with recipes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from importlib.metadata import entry_points

import msgspec

from runledger.tracker.events.benchmark import Direction
from runledger.trainer import sources
from runledger.trainer.errors import NotAScorer, ScorerChanged
from runledger.trainer.scoring import Scorer
from runledger.trainer.sources import taken, told

logger = logging.getLogger(__name__)

GROUP = "runledger.scorers"
INCLUDED = ("runledger.trainer.scorers:exact_match", "runledger.trainer.scorers:numeric")


class FoundScorer(msgspec.Struct, frozen=True, kw_only=True):
    """A scorer that is installed, or why what was referred to is none."""

    reference: str
    name: str = ""
    version: int = 0
    digest: str = ""
    direction: Direction | None = None
    description: str = ""
    problem: str | None = None


def is_exact(expected: str, prediction: str) -> float:
    return float(prediction == expected.strip())


def is_same_number(expected: str, prediction: str) -> float:
    try:
        return float(Decimal(prediction.replace(",", "")) == Decimal(expected.replace(",", "")))
    except InvalidOperation:
        return 0.0


exact_match = Scorer(
    name="exact_match",
    version=1,
    score=is_exact,
    direction="maximize",
    description="Whether the prediction is what was expected, but for white space around that.",
)
numeric = Scorer(
    name="numeric",
    version=1,
    score=is_same_number,
    direction="maximize",
    description="Whether the prediction is the number that was expected, however it is written.",
)


def references(given: Iterable[str]) -> list[str]:
    installed = (entry.value for entry in entry_points(group=GROUP))
    return list(dict.fromkeys([*INCLUDED, *installed, *given]))


def load(reference: str, digest: str = "") -> Scorer:
    """The scorer at `module:attribute`. Raises `NotAScorer`, and `ScorerChanged` where its source has
    not the digest that is given."""
    found = sources.load(reference)
    if not isinstance(found, Scorer):
        raise NotAScorer(reference, f"a {type(found).__name__} is no scorer")
    if digest and digest_of(found, reference) != digest:
        raise ScorerChanged(reference)
    return found


def digest_of(scorer: Scorer, reference: str) -> str:
    """SHA-256 over name, version and the file that holds it."""
    return sources.digest_of(scorer.name, scorer.version, [reference.partition(":")[0]])


def find(reference: str) -> FoundScorer:
    logger.info("loading %s", reference)
    try:
        scorer = load(reference)
        return FoundScorer(
            reference=reference,
            name=scorer.name,
            version=scorer.version,
            digest=digest_of(scorer, reference),
            direction=scorer.direction,
            description=scorer.description,
        )
    except (Exception, SystemExit) as error:  # noqa: BLE001 — foreign code; its problem is the answer
        return FoundScorer(reference=reference, problem=told(error))


def only_unambiguous(found: Sequence[FoundScorer]) -> tuple[FoundScorer, ...]:
    """Two that bear the same name and version are of no use, but for those that are included."""
    return tuple(
        each
        if problem is None or each.reference in INCLUDED
        else FoundScorer(reference=each.reference, problem=problem)
        for each, problem in zip(found, taken(found), strict=True)
    )
