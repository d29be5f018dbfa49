from __future__ import annotations

import pytest

from runledger.projections.mlflow.facts import effective, fold, settled
from runledger.tracker.effective import NOTHING
from runledger.tracker.errors import NotFound
from runledger.tracker.events.base import Covers
from runledger.tracker.events.run import (
    RunAttemptLost,
    RunCancelled,
    RunCheckpointDeleted,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunRetried,
)
from runledger.tracker.ids import RunId


@pytest.fixture
def facts(log):
    return lambda run: fold(RunId(run), log.read(f"run-{run}"))


@pytest.fixture
def run(story):
    run = story.request()
    story.start(run)
    return run


def test_a_run_without_events_is_not_there(facts):
    with pytest.raises(NotFound):
        facts("0" * 32)


def test_a_run_without_checkpoints_is_told_as_it_goes(facts, run):
    assert settled(facts(run).run) == {1: None}


def test_a_run_with_checkpoints_is_told_up_to_the_newest(story, facts, run):
    story.checkpoint(run, 4, Covers(version=3, offset=7))
    story.checkpoint(run, 5, Covers(version=2, offset=1))
    assert settled(facts(run).run) == {1: Covers(version=3, offset=7)}
    assert effective(facts(run).run) == {1: None}


def test_an_attempt_that_has_saved_nothing_yet_waits(story, facts, run):
    saved = story.checkpoint(run, 4, Covers(version=3, offset=0))
    story.tell(f"run-{run}", RunAttemptLost(attempt=1, last_heartbeat_at=None, resume_point=saved))
    assert settled(facts(run).run) == {1: Covers(version=3, offset=0)}
    story.start(run, 2, saved)
    assert settled(facts(run).run) == {1: Covers(version=3, offset=0), 2: NOTHING}


@pytest.mark.parametrize(
    ("end", "limit"),
    [
        (RunCompleted(attempt=1), None),
        (RunFailed(attempt=1, reason="error"), None),
        (RunCancelled(attempt=1), None),
        (RunPaused(attempt=1), Covers(version=3, offset=0)),
    ],
)
def test_a_run_that_is_over_is_told_whole(story, facts, run, end, limit):
    story.checkpoint(run, 4, Covers(version=3, offset=0))
    story.tell(f"run-{run}", end)
    assert settled(facts(run).run) == {1: limit}


def test_a_retried_run_is_not_over_any_more(story, facts, run):
    story.tell(f"run-{run}", RunFailed(attempt=1, reason="diverged"))
    assert (facts(run).failure.reason, facts(run).ended_at) == ("diverged", story.now)
    story.tell(f"run-{run}", RunRetried(attempt=2, why="demand"))
    assert (facts(run).failure, facts(run).ended_at) == (None, None)


def test_what_was_superseded_does_not_count(story, facts, run):
    benchmark = story.benchmark()
    first = story.checkpoint(run, 4, Covers(version=1, offset=0))
    second = story.checkpoint(run, 8, Covers(version=2, offset=0))
    kept, dropped = story.evaluate(run, benchmark, first), story.evaluate(run, benchmark, second)
    assert [scored.event.evaluation_id for scored in facts(run).evaluations] == [kept, dropped]
    story.start(run, 2, first)
    assert [saved.event.step for saved in facts(run).checkpoints] == [4]
    assert [scored.event.evaluation_id for scored in facts(run).evaluations] == [kept]


def test_a_deleted_checkpoint_still_counts(story, facts, run):
    saved = story.checkpoint(run, 4, Covers(version=1, offset=0))
    story.tell(f"run-{run}", RunCheckpointDeleted(attempt=1, step=4, digest=saved.digest, policy="p"))
    assert [each.is_deleted for each in facts(run).checkpoints] == [True]
