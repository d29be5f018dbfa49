"""Two of everything on one PostgreSQL: every run is trained once and every fact projected once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import Install
from tests.system.installation import Installation
from tests.system.requests import toy

pytestmark = pytest.mark.system
RUNS = 6


@pytest.fixture
def pair(
    tmp_path: Path, postgresql: dict[str, str], redis_broker: dict[str, str], install: Install
) -> Iterator[tuple[Installation, Installation]]:
    """Two installations that share database, broker and blobs, and nothing else."""
    shared = {**postgresql, **redis_broker, "RUNLEDGER_BLOBS_URL": f"file://{tmp_path / 'blobs'}"}
    yield install(shared, "--no-mlflow"), install(shared, "--no-mlflow")


def test_two_apis_two_workers_and_two_projection_runners_step_on_nobody(
    pair: tuple[Installation, Installation],
) -> None:
    first, second = (installation.client for installation in pair)

    launched = [
        (first, second)[number % 2].launch(**toy(seed=number, step_seconds=0.02)) for number in range(RUNS)
    ]
    last = max(one.position for one in launched)
    ends = [second.wait(one.run_id, timeout_seconds=120) for one in launched]

    assert [run.status for run in ends] == ["completed"] * RUNS
    assert [len(run.attempts) for run in ends] == [1] * RUNS
    assert len({run.attempts[0].worker for run in ends}) == 2
    assert {row.run_id for row in first.runs()} == {one.run_id for one in launched}
    for run in ends:
        (loss,) = (one for one in first.metrics(run.run_id, after=last) if one.key == "train/loss")
        assert loss.points == 20
        assert [fact.version for fact in first.facts(run.run_id)] == list(range(1, run.version + 1))


def test_a_launch_repeated_at_the_other_api_is_the_same_launch(
    pair: tuple[Installation, Installation],
) -> None:
    first, second = (installation.client for installation in pair)

    one = first.launch(**toy(), idempotency_key="the-same")
    other = second.launch(**toy(), idempotency_key="the-same")

    assert one.run_id == other.run_id
    assert len(list(second.runs(after=other.position))) == 1
