"""What is asked as of a position is what a projection says that has stopped there."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, create_engine, insert

from runledger.projections import benchmarks, datasets, evaluations, experiments, metrics, runs
from runledger.projections.builds import reading
from runledger.projections.catalogue import PROJECTIONS
from runledger.projections.projection import fact_of
from runledger.projections.rebuilding import rebuild
from runledger.projections.tables import cursors
from runledger.projections.tables import views as metadata
from runledger.tracker.store.log import Log
from tests.projections.conftest import Story
from tests.projections.lives import tell_lives

CatchUp = Callable[[], None]
RUNS = ("r0", "r1", "r2")


@pytest.mark.parametrize("seed", range(3))
def test_the_answer_as_of_a_position_is_that_of_a_projection_that_stopped_there(
    story: Story, log: Log, views: Engine, catch_up: CatchUp, seed: int
) -> None:
    chance = random.Random(seed)
    tell_lives(story, chance, after_each=catch_up, turns=160)
    if seed == 2:
        rebuild(log, views, grace_seconds=0.0)
    for position in [*chance.sample(range(log.head()), 12), 0, log.head()]:
        with stopped_at(log, position) as stopped, reading(views) as conn:
            assert answers(conn, position) == answers(stopped, None), position


@contextmanager
def stopped_at(log: Log, position: int) -> Iterator[Connection]:
    """All projections, in memory, over the log up to there."""
    facts = [fact_of(recorded) for recorded in log.tail(0).events if recorded.position <= position]
    engine = create_engine("sqlite://")
    with engine.begin() as conn:
        metadata.create_all(conn)
        for each in PROJECTIONS:
            each.fold(conn, [fact for fact in facts if fact.kind in each.kinds])(conn)
            conn.execute(insert(cursors).values(name=each.cursor, position=position))
        yield conn
    engine.dispose()


def answers(conn: Connection, as_of: int | None) -> dict[str, str]:
    """Everything that can be asked as of a position; as text, in which NaN equals NaN."""
    found: dict[str, object] = {
        "runs": runs.list_runs(conn, hidden=True, as_of=as_of),
        "shown": runs.list_runs(conn, experiment="e1", as_of=as_of),
        "running": runs.list_runs(conn, status=["running"], as_of=as_of),
        "counts": runs.count_by_status(conn, as_of=as_of),
        "experiments": experiments.list_experiments(conn, archived=True, as_of=as_of),
        "datasets": datasets.list_datasets(conn, as_of=as_of),
        "benchmarks": benchmarks.list_benchmarks(conn, as_of=as_of),
        "evaluations": evaluations.list_evaluations(conn, as_of=as_of),
    }
    for run_id in RUNS:
        found |= {
            f"{run_id} whole": runs.get_run(conn, run_id, as_of),
            f"{run_id} checkpoints": runs.checkpoints(conn, run_id, as_of),
            f"{run_id} artifacts": runs.artifacts(conn, run_id, as_of),
            f"{run_id} environment": runs.environment(conn, run_id, as_of=as_of),
            f"{run_id} metrics": metrics.summaries(conn, run_id, as_of),
        }
        for key in ("loss", "acc"):
            found[f"{run_id} has {key}"] = metrics.has_key(conn, run_id, key, as_of)
            for superseded in (False, True):
                curve = metrics.series(conn, run_id, key, superseded=superseded, as_of=as_of)
                found[f"{run_id} {key} {superseded}"] = curve
    return {name: repr(answer) for name, answer in found.items()}
