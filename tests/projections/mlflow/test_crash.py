"""A sink that dies between any two calls, or after a call whose answer it did not see."""

from __future__ import annotations

import random

import pytest

from runledger.projections.mlflow.memory import MemoryMlflow
from runledger.projections.mlflow.state import rebuild
from runledger.tracker.events.run import (
    RunArtifactRecorded,
    RunAttemptLost,
    RunCompleted,
    RunRenamed,
    RunTagged,
)


class Crash(BaseException):
    """Passes through everything, as a kill does."""


class CrashingMlflow:
    """Dies before or after a call, by a seeded lot; holds that no run has two active mirrors."""

    def __init__(self, inner: MemoryMlflow, seed: int, odds: float = 0.08):
        self._inner = inner
        self._random = random.Random(seed)
        self._odds = odds
        self.crashes = 0

    def __getattr__(self, name):
        call = getattr(self._inner, name)

        def crashing(*args, **kwargs):
            self._draw()
            answer = call(*args, **kwargs)
            ids = [mirror.run_id for mirror in self._inner.mirrors()]
            assert len(ids) == len(set(ids))
            self._draw()
            return answer

        return crashing

    def _draw(self):
        if self._random.random() < self._odds:
            self.crashes += 1
            raise Crash


class LogUpTo:
    """The log as it stood at a position."""

    def __init__(self, log):
        self._log = log
        self.position = 0
        self.log_id = log.log_id

    def read(self, stream, *, after=0, limit=None):
        return [
            each
            for each in self._log.read(stream, after=after, limit=limit)
            if each.position <= self.position
        ]

    def tail(self, after, *, limit, kinds):
        page = self._log.tail(after, limit=limit, kinds=kinds)
        events = [each for each in page.events if each.position <= self.position]
        return type(page)(events=events, scanned=max(after, min(page.scanned, self.position)))


@pytest.fixture
def whole_story(story, log):
    """A run that is rolled back past what was told, and its fork. Positions to stop at."""
    run = story.request(values={"dataset": story.dataset(), **{f"param{i}": i for i in range(120)}})
    benchmark = story.benchmark()
    story.start(run)
    first = story.checkpoint(run, 4, story.points(run, range(5)))
    story.evaluate(run, benchmark, first)
    milestones = [log.head()]
    story.points(run, range(5, 8))
    second = story.checkpoint(run, 9, story.points(run, range(8, 10)))
    story.evaluate(run, benchmark, second, 0.5)
    story.tell(f"run-{run}", RunAttemptLost(attempt=1, last_heartbeat_at=None, resume_point=second))
    milestones.append(log.head())
    story.start(run, 2, first)
    artifact = story.blobs.put_bytes(b"vocabulary")
    recorded = RunArtifactRecorded(attempt=2, path="tokenizer/vocab.json", digest=artifact, size_bytes=10)
    story.tell(f"run-{run}", recorded, RunTagged(added={"a": "b"}), RunRenamed(name="other"))
    fork = story.fork(run)
    story.start(fork)
    story.points(fork, range(3))
    milestones.append(log.head())
    third = story.checkpoint(run, 9, story.points(run, range(5, 10), attempt=2, offset=0.5), attempt=2)
    story.evaluate(run, benchmark, third, 0.75)
    story.tell(f"run-{run}", RunCompleted(attempt=2, step=9), RunTagged(removed=("a",)))
    milestones.append(log.head())
    return milestones


@pytest.mark.parametrize("seed", range(12))
def test_wherever_it_dies_mlflow_ends_up_the_same(whole_story, told, views, seed):
    inner = MemoryMlflow()
    mlflow = CrashingMlflow(inner, seed)
    log = told.log
    told.log = LogUpTo(log)
    for milestone in whole_story:
        told.log.position = milestone
        catch_up_in_spite_of_crashes(told, mlflow)
    told.log = log
    assert mlflow.crashes > 0
    assert told.differences(inner) == []
    assert len(list(inner.mirrors())) == 2
    assert len(inner.models) == 2


@pytest.mark.parametrize("seed", range(4))
def test_a_rebuild_may_die_as_well(whole_story, told, views, seed):
    inner = MemoryMlflow()
    told.catch_up(inner)
    rebuild(views)
    catch_up_in_spite_of_crashes(told, CrashingMlflow(inner, seed))
    assert told.differences(inner) == []
    assert len(list(inner.mirrors())) == 2
    assert len(inner.models) == 2


def test_replaying_all_of_it_changes_nothing(whole_story, told, views):
    inner = MemoryMlflow()
    told.catch_up(inner)
    before = {run.id: (dict(run.points), dict(run.tags), dict(run.files)) for run in inner.runs.values()}
    rebuild(views)
    told.catch_up(inner)
    assert before == {run.id: (run.points, run.tags, run.files) for run in inner.runs.values()}


def catch_up_in_spite_of_crashes(told, mlflow):
    for _ in range(500):
        try:
            told.catch_up(mlflow)
        except Crash:
            continue
        return
    raise TimeoutError("did not catch up")
