"""How a prediction is scored: it is a ranking of the digits, the likeliest first, such as `3 8 5`."""

from __future__ import annotations

from runledger import Scorer


def one_over_rank(expected: str, prediction: str) -> float:
    """1 where the right digit stands first, a half where it stands second, 0 where it does not stand."""
    ranking = prediction.split()
    return 1.0 / (1 + ranking.index(expected)) if expected in ranking else 0.0


reciprocal_rank = Scorer(
    name="reciprocal_rank",
    version=1,
    score=one_over_rank,
    direction="maximize",
    description="One over the place at which the expected word stands in the predicted ranking.",
)
