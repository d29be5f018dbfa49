"""What the scorer says, case by case."""

from __future__ import annotations

import pytest

from digits.scorers import one_over_rank


@pytest.mark.parametrize(("prediction", "score"), [("3 8 5", 1.0), ("8 3 5", 0.5), ("8 5 1", 0.0), ("", 0.0)])
def test_the_further_up_the_better(prediction: str, score: float) -> None:
    assert one_over_rank("3", prediction) == score
