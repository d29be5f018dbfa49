"""Runs as the projection tells them against runs as the domain folds them: two folds that share nothing."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from runledger.projections import metrics, runs
from runledger.tracker.effective import cut, points_within
from runledger.tracker.events.base import ResumePoint
from runledger.tracker.events.telemetry import MetricsRecorded
from runledger.tracker.ids import telemetry_stream
from tests.projections.conftest import Story
from tests.projections.lives import Life, tell_lives

CatchUp = Callable[[], None]


@pytest.mark.parametrize("seed", range(3))
def test_the_projection_tells_what_the_domain_folds(
    story: Story, catch_up: CatchUp, conn: Connection, seed: int
) -> None:
    lives = tell_lives(story, random.Random(seed))
    catch_up()
    for life in lives:
        compare_run(life, conn)
        compare_curves(life, conn)


def compare_run(life: Life, conn: Connection) -> None:
    state, run = life.state(), runs.get_run(conn, life.run_id)
    assert state is not None and run is not None
    assert (run.status, run.version, run.attempt) == (state.status, state.version, state.attempt)
    assert (run.name, run.note, run.hidden, run.tags) == (state.name, state.note, state.is_hidden, state.tags)
    assert repr(sorted(run.params.items())) == repr(sorted(state.params.items()))
    assert [
        (each.attempt, each.epoch, each.ending, each.environment, each.resumed_from) for each in run.attempts
    ] == [
        (each.number, each.epoch, each.outcome, each.environment, each.resumed_from)
        for each in state.attempts
    ]
    assert [
        (each.attempt, each.step, each.digest, each.covers, each.deleted_at is not None)
        for each in runs.checkpoints(conn, life.run_id)
    ] == [(each.attempt, each.step, each.digest, each.covers, each.is_deleted) for each in state.checkpoints]
    shown = {(each.attempt, each.path, each.digest) for each in runs.artifacts(conn, life.run_id)}
    assert shown <= state.artifacts
    assert {path for _, path, _ in shown} == {path for _, path, _ in state.artifacts}


def compare_curves(life: Life, conn: Connection) -> None:
    """Point by point from the log, without chunks or summaries."""
    state = life.state()
    assert state is not None
    cuts = cut(
        {each.number: each.resumed_from for each in state.attempts},
        {
            ResumePoint(attempt=each.attempt, step=each.step, digest=each.digest): each.covers
            for each in state.checkpoints
        },
    )
    for key in ("acc", "loss"):
        effective, superseded = [], []
        for attempt, limit in sorted(cuts.items()):
            for recorded in life.story.log.read(telemetry_stream(life.run_id, attempt)):
                if isinstance(recorded.event, MetricsRecorded):
                    steps = steps_of(recorded.event)
                    reach = points_within(recorded.version, len(steps), limit)
                    effective += [step for name, step in steps[:reach] if name == key]
                    superseded += [step for name, step in steps[reach:] if name == key]
        series = metrics.series(conn, life.run_id, key, max_points=None)
        assert list(series.step) == effective
        assert list(metrics.series(conn, life.run_id, key, superseded=True).step) == superseded
        found = {each.key: each for each in metrics.summaries(conn, life.run_id)}
        assert (found[key].points if key in found else 0) == len(effective)
        assert not effective or found[key].last_step == effective[-1]


def steps_of(event: MetricsRecorded) -> list[tuple[str, int]]:
    keys = [event.keys[low + 256 * high] for low, high in zip(*[iter(event.key_index)] * 2, strict=True)]
    steps = [int.from_bytes(event.step[at : at + 8], "little") for at in range(0, len(event.step), 8)]
    return list(zip(keys, steps, strict=True))
