"""Scorers, what they give to each item, and the score of all items with its interval.

A scorer is a typed, versioned function of what was expected and what was predicted, found through the
entry point group `runledger.scorers`. The interval is Wilson's where every score is 0 or 1, and else a
bootstrap of the mean (BCa). Importing this loads neither numpy nor scipy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Any, TypeAlias

import msgspec

from runledger.tracker import schemas
from runledger.tracker.errors import BadInput
from runledger.tracker.events.base import Score
from runledger.tracker.events.benchmark import Direction
from runledger.trainer.errors import BadScorer, MisusedContext, ScorerFailed
from runledger.trainer.plain import real, text
from runledger.trainer.rows import encode_row

CONFIDENCE = 0.95
QUANTILE = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
"""Standard deviations of a normal distribution to either side that the interval spans."""
RESAMPLES = 1_999
BATCH_VALUES = 4_000_000
"""Numbers that a bootstrap holds in memory at a time."""


Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\s:]+$")]
"""Of a recipe or a scorer: no white space, and no colon, behind which a preset is named."""
Version: TypeAlias = Annotated[int, msgspec.Meta(ge=1, lt=2**31)]


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What of a scorer is data, with the bounds that it has to keep."""

    name: Name
    version: Version
    direction: Direction | None
    description: str


def check_declared(scorer: Any) -> None:
    """Constructors check no types, and a worker tells everybody what stands here. Raises `BadScorer`."""
    try:
        schemas.convert({name: getattr(scorer, name) for name in Declared.__struct_fields__}, Declared)
    except BadInput as error:
        raise BadScorer(scorer.name, error.place.removeprefix("$."), error.problem) from None


class Scorer(msgspec.Struct, frozen=True, kw_only=True):
    """A named, versioned measure of a prediction. Another result for the same pair is another version.

    Raises `BadScorer` with the place of what does not fit.
    """

    name: str
    version: int
    score: Callable[[str, str], float | None]
    """(expected, prediction) to a finite number, often from 0 to 1; None leaves the item unscored."""
    direction: Direction | None = None
    """Which way is better; None where that depends on the benchmark."""
    description: str = ""

    def __post_init__(self) -> None:
        if not callable(self.score):
            raise BadScorer(self.name, "score", f"cannot be called: {self.score!r}")
        check_declared(self)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a model said to one item of a benchmark; `details` are more columns of its prediction row."""

    item_id: str
    expected: str
    prediction: str
    details: Mapping[str, Any] = {}


def score_answers(scorer: Scorer, answers: Iterable[Answer], file: Path) -> tuple[Score, ...]:
    """The score of all answers; writes one prediction row an answer to `file`, in their order.

    Raises `ScorerFailed` with the scorer's name and the item's id, whatever the scorer raised, and
    `MisusedContext` for what is no answer, or a second one to the same item.
    """
    found: list[float | None] = []
    answered: set[str] = set()
    with file.open("wb") as lines:
        for answer in answers:
            _check(answer, answered)
            found.append(score_item(scorer, answer.item_id, answer.expected, answer.prediction))
            lines.write(_row(answer, found[-1]))
    return (summarize(scorer.name, found),)


def score_item(scorer: Scorer, item_id: str, expected: str, prediction: str) -> float | None:
    """The score of one item. Raises `ScorerFailed`."""
    try:
        found = scorer.score(expected, prediction)
        value = None if found is None else real("its score", found)
    except (Exception, SystemExit) as error:
        raise ScorerFailed(scorer.name, item_id, f"{type(error).__name__}: {error}") from error
    if value is not None and not math.isfinite(value):
        raise ScorerFailed(scorer.name, item_id, f"{value} is not a finite number")
    return value


def summarize(name: str, scores: Sequence[float | None]) -> Score:
    """The mean of the items that have a score, with its 95 % interval; NaN where none has one."""
    scored = [score for score in scores if score is not None]
    unscored = len(scores) - len(scored)
    if not scored:
        return Score(name=name, value=math.nan, count=0, unscored=unscored)
    if all(score in (0.0, 1.0) for score in scored):
        return share(name, sum(score == 1.0 for score in scored), len(scored), unscored)
    return mean(name, scored, unscored)


def share(name: str, right: int, total: int, unscored: int = 0) -> Score:
    """A share of items with Wilson's interval."""
    low, high = wilson(right, total)
    return Score(
        name=name,
        value=right / total,
        low=low,
        high=high,
        count=total,
        unscored=unscored,
        method="wilson",
    )


def wilson(right: int, total: int) -> tuple[float, float]:
    """The interval of a share (Wilson 1927), without correction for continuity."""
    value, squared = right / total, QUANTILE**2
    centre = (2 * total * value + squared) / (2 * (total + squared))
    reach = QUANTILE * math.sqrt(4 * total * value * (1 - value) + squared) / (2 * (total + squared))
    return (0.0 if right == 0 else centre - reach), (1.0 if right == total else centre + reach)


def mean(name: str, scores: Sequence[float], unscored: int = 0) -> Score:
    """A mean with its bootstrapped interval (BCa; Efron 1987), the same whenever it is asked for.

    There is no interval where all scores are the same: then nothing tells how far the next would lie.
    """
    import numpy as np
    from scipy import stats

    values = np.asarray(scores, np.float64)
    value, count = float(values.mean()), len(scores)
    if np.ptp(values) == 0:
        return Score(name=name, value=value, count=count, unscored=unscored)
    interval = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(BATCH_VALUES // count, 1),
        confidence_level=CONFIDENCE,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Score(
        name=name,
        value=value,
        low=float(interval.low),
        high=float(interval.high),
        count=count,
        unscored=unscored,
        method="bootstrap",
    )


def _row(answer: Answer, score: float | None) -> bytes:
    row = {
        "item_id": answer.item_id,
        "expected": answer.expected,
        "prediction": answer.prediction,
        "score": score,
    }
    try:
        return encode_row({**answer.details, **row})
    except MisusedContext as problem:
        raise MisusedContext(f"the row of item {answer.item_id!r} {problem}") from None


def _check(answer: Answer, answered: set[str]) -> None:
    if not isinstance(answer, Answer):
        raise MisusedContext(f"not an Answer but a {type(answer).__name__}")
    for name in ("item_id", "expected", "prediction"):
        text(f"{name} of the answer to item {answer.item_id!r}", getattr(answer, name))
    if answer.item_id in answered:
        raise MisusedContext(f"item {answer.item_id!r} is answered twice")
    answered.add(answer.item_id)
