from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from runledger.projections.mlflow.driver import DatasetUse
from runledger.projections.mlflow.errors import MlflowRefused, MlflowUnavailable, TakenOver
from runledger.projections.mlflow.memory import MemoryMlflow
from runledger.projections.mlflow.state import link, rebuild, status
from runledger.tracker.events.experiment import ExperimentRenamed
from runledger.tracker.events.run import (
    RunAttemptLost,
    RunAttemptReturned,
    RunCancelled,
    RunCheckpointDeleted,
    RunCompleted,
    RunFailed,
    RunNoted,
    RunParamsRecorded,
    RunPaused,
    RunRenamed,
    RunTagged,
)
from runledger.tracker.store.engine import read


def steps_told(mlflow, run_id, key="train/loss"):
    (mirror,) = mlflow.find_active(run_id)
    return [point.step for point in mirror.points.values() if point.key == key]


class Mlflow(MemoryMlflow):
    """Fails on demand."""

    def __init__(self):
        super().__init__()
        self.is_down = False
        self.refuses = set()
        self.fails = set()
        self.calls = 0

    def find_active(self, run_id):
        return [run for run in self.runs.values() if run.is_active and run.tags["runledger.run"] == run_id]

    def ping(self):
        if self.is_down:
            raise MlflowUnavailable("connection refused")

    def log_points(self, run, points, origin=None):
        self.calls += 1
        if self.is_down:
            raise MlflowUnavailable("connection refused")
        if self.runs[run].tags["runledger.run"] in self.refuses:
            raise MlflowRefused("no")
        if self.runs[run].tags["runledger.run"] in self.fails:
            raise MlflowUnavailable("internal error")
        super().log_points(run, points, origin)


@pytest.fixture
def mlflow():
    return Mlflow()


def test_a_whole_run_is_told(story, told, mlflow):
    run = story.request(values={"dataset": story.dataset(), "lr": 0.1})
    benchmark = story.benchmark()
    story.start(run)
    covers = story.points(run, range(10))
    saved = story.checkpoint(run, 9, covers)
    story.evaluate(run, benchmark, saved)
    story.tell(f"run-{run}", RunCompleted(attempt=1, step=9))

    told.catch_up(mlflow)

    assert told.differences(mlflow) == []
    (mirror,) = mlflow.find_active(run)
    assert mirror.status == "FINISHED"
    assert len(mirror.points) == 21
    assert sorted(path.partition("/")[0] for path in mirror.files) == ["checkpoints", "evaluations"]
    assert len(mirror.datasets) == 2
    table = next(
        content for path, content in mirror.files.items() if path.startswith("evaluations/held out/")
    )
    assert table == b'{"columns":["id","answer","note"],"data":[\n["1","4",null],\n["2","5","?"]]}'


def test_points_beyond_the_newest_checkpoint_wait(story, told, mlflow):
    run = story.request()
    story.start(run)
    covers = story.points(run, range(5))
    story.points(run, range(5, 8))
    told.catch_up(mlflow)
    assert steps_told(mlflow, run) == [0, 1, 2, 3, 4, 5, 6, 7]  # live until it saves

    story.checkpoint(run, 4, covers)
    story.points(run, range(8, 10))
    told.catch_up(mlflow)
    assert steps_told(mlflow, run)[-1] == 7

    story.checkpoint(run, 9, story.points(run, range(10, 12)))
    story.points(run, range(12, 14))
    told.catch_up(mlflow)
    assert steps_told(mlflow, run) == list(range(12))

    story.tell(f"run-{run}", RunFailed(attempt=1, reason="error", error_class="ValueError", message="x"))
    told.catch_up(mlflow)
    assert steps_told(mlflow, run) == list(range(14))
    (mirror,) = mlflow.find_active(run)
    assert (mirror.status, mirror.tags["runledger.failure"]) == ("FAILED", "error: ValueError: x")
    assert told.differences(mlflow) == []


def test_a_resumed_run_goes_on_in_the_same_mirror(story, told, mlflow):
    run = story.request()
    story.start(run)
    saved = story.checkpoint(run, 4, story.points(run, range(5)))
    story.points(run, range(5, 8))
    told.catch_up(mlflow)
    story.tell(f"run-{run}", RunAttemptLost(attempt=1, last_heartbeat_at=None, resume_point=saved))
    story.start(run, 2, saved)
    story.points(run, range(5, 9), attempt=2, offset=0.5)
    story.tell(f"run-{run}", RunCompleted(attempt=2, step=8))
    told.catch_up(mlflow)

    assert steps_told(mlflow, run) == list(range(9))
    assert len(mlflow.runs) == 1
    assert told.differences(mlflow) == []


def test_a_run_rolled_back_past_settled_points_is_written_anew(story, told, mlflow):
    run = story.request()
    fork = story.fork(run)
    story.start(run)
    first = story.checkpoint(run, 4, story.points(run, range(5)))
    story.checkpoint(run, 9, story.points(run, range(5, 10)))
    told.catch_up(mlflow)
    (before,) = mlflow.find_active(run)
    story.start(run, 2, first)
    story.points(run, range(5, 7), attempt=2, offset=0.5)
    story.tell(f"run-{run}", RunCompleted(attempt=2, step=6))
    told.catch_up(mlflow)

    (after,) = mlflow.find_active(run)
    assert (before.is_active, after.id == before.id) == (False, False)
    assert steps_told(mlflow, run) == list(range(7))
    assert [model.name for model in mlflow.models.values()] == ["step-4"]
    assert mlflow.find_active(fork)[0].tags["mlflow.parentRunId"] == after.id
    assert told.differences(mlflow) == []


def test_a_retry_from_nothing_is_written_anew(story, told, mlflow):
    run = story.request()
    story.start(run)
    story.points(run, range(5))
    told.catch_up(mlflow)
    story.start(run, 2)
    story.points(run, range(2), attempt=2, offset=0.5)
    told.catch_up(mlflow)
    assert steps_told(mlflow, run) == [0, 1]
    assert told.differences(mlflow) == []


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (RunPaused(attempt=1), ("SCHEDULED", None)),
        (RunCancelled(attempt=1), ("KILLED", 1772366403123)),
        (RunAttemptLost(attempt=1, last_heartbeat_at=None, resume_point=None), ("RUNNING", None)),
    ],
)
def test_how_a_run_ends(story, told, mlflow, end, expected):
    run = story.request()
    told.catch_up(mlflow)
    assert mlflow.find_active(run)[0].status == "SCHEDULED"
    story.start(run)
    story.tell(f"run-{run}", end)
    told.catch_up(mlflow)
    (mirror,) = mlflow.find_active(run)
    assert (mirror.status, mirror.end_time and mirror.end_time // 100_000) == (
        expected[0],
        expected[1] and expected[1] // 100_000,
    )


def test_a_run_whose_attempt_returns_goes_on_where_it_was(story, told, mlflow):
    run = story.request(external=True)
    story.start(run)
    saved = story.checkpoint(run, 4, story.points(run, range(5)))
    story.points(run, range(5, 8))
    lost = RunAttemptLost(attempt=1, last_heartbeat_at=None, resume_point=saved)
    story.tell(f"run-{run}", lost, RunFailed(attempt=1, reason="worker-lost"))
    told.catch_up(mlflow)
    (first,) = mlflow.find_active(run)
    assert (first.status, "runledger.failure" in first.tags) == ("FAILED", True)
    story.tell(f"run-{run}", RunAttemptReturned(attempt=1, worker="w", epoch=3))
    told.catch_up(mlflow)
    (mirror,) = mlflow.find_active(run)
    assert (mirror.id, mirror.status, "runledger.failure" in mirror.tags) == (first.id, "RUNNING", False)
    story.points(run, range(8, 10))
    story.tell(f"run-{run}", RunCompleted(attempt=1))
    told.catch_up(mlflow)
    assert steps_told(mlflow, run) == list(range(10))
    assert told.differences(mlflow) == []


def test_what_people_change_is_told(story, told, mlflow):
    experiment = story.experiment("before")
    run = story.request(experiment, tags={"team": "a", "mlflow.runName": "no", "old": "1"})
    told.catch_up(mlflow)
    story.tell(f"experiment-{experiment}", ExperimentRenamed(name="after"))
    story.tell(
        f"run-{run}", RunRenamed(name="other"), RunNoted(note="mind"), RunParamsRecorded(params={"x": 1})
    )
    story.tell(f"run-{run}", RunTagged(added={"team": "b"}, removed=("old",)))
    told.catch_up(mlflow)
    (mirror,) = mlflow.find_active(run)
    assert (mirror.name, mirror.params["x"], mirror.tags["team"]) == ("other", "1", "b")
    assert mirror.tags["tag.mlflow.runName"] == "no"
    assert "old" not in mirror.tags
    assert [found.name for found in mlflow.experiments.values()] == ["after"]
    assert told.differences(mlflow) == []


def test_a_deleted_checkpoint_leaves_its_scores(story, told, mlflow):
    run = story.request()
    story.start(run)
    saved = story.checkpoint(run, 4, story.points(run, range(5)))
    told.catch_up(mlflow)
    assert mlflow.find_active(run)[0].files != {}
    deleted = RunCheckpointDeleted(attempt=1, step=4, digest=saved.digest, policy="latest 1")
    story.tell(f"run-{run}", deleted)
    told.catch_up(mlflow)
    assert mlflow.find_active(run)[0].files == {}
    assert len(mlflow.models) == 1
    assert told.differences(mlflow) == []


def test_a_refused_run_is_quarantined_and_the_others_go_on(story, told, views, mlflow):
    bad, good = story.request(), story.request()
    mlflow.refuses.add(bad)
    for run in (bad, good):
        story.start(run)
        story.points(run, range(3))
    told.catch_up(mlflow)
    assert steps_told(mlflow, good) == [0, 1, 2]
    with read(views) as conn:
        (quarantined,) = status(conn).quarantined
    assert (quarantined.run_id, quarantined.reason, quarantined.failures) == (bad, "no", 1)
    assert {difference.run_id for difference in told.differences(mlflow)} == {bad}

    mlflow.refuses.clear()
    sink, stop = told.sink(mlflow), threading.Event()
    sink.step(told.log.head(), stop)
    assert steps_told(mlflow, bad) == []
    told.clock.now += timedelta(seconds=61)
    sink.step(told.log.head(), stop)
    assert steps_told(mlflow, bad) == [0, 1, 2]
    with read(views) as conn:
        assert status(conn).quarantined == ()


def test_a_run_at_which_mlflow_fails_does_not_hold_up_the_others(story, told, views, mlflow):
    bad, good = story.request(), story.request()
    mlflow.fails.add(bad)
    for run in (bad, good):
        story.start(run)
        story.points(run, range(3))
    told.catch_up(mlflow)
    assert steps_told(mlflow, good) == [0, 1, 2]
    with read(views) as conn:
        assert [run.reason for run in status(conn).quarantined] == ["internal error"]
        assert status(conn).is_reachable
    mlflow.fails.clear()
    story.points(bad, range(3, 5))
    told.catch_up(mlflow)
    assert steps_told(mlflow, bad) == [0, 1, 2, 3, 4]


def test_a_run_whose_file_is_missing_is_told_but_for_that(story, told, views, mlflow):
    run = story.request()
    story.start(run)
    saved = story.checkpoint(run, 4, story.points(run, range(5)))
    story.tell(f"run-{run}", RunCompleted(attempt=1, step=4))
    story.blobs.delete(saved.digest)
    told.catch_up(mlflow)
    assert mlflow.find_active(run)[0].status == "FINISHED"
    with read(views) as conn:
        (quarantined,) = status(conn).quarantined
    assert saved.digest in quarantined.reason


def test_nothing_is_lost_while_mlflow_is_away(story, told, views, mlflow):
    mlflow.is_down = True
    run = story.request()
    story.start(run)
    story.points(run, range(3))
    stop = threading.Event()
    thread = threading.Thread(target=told.sink(mlflow).run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: mlflow.calls > 2)
        with read(views) as conn:
            away = status(conn)
        mlflow.is_down = False
        wait_until(lambda: told.sink(mlflow).position() == told.log.head())
    finally:
        stop.set()
        thread.join()
    assert (away.is_reachable, away.problem, away.position) == (False, "connection refused", 0)
    with read(views) as conn:
        back = status(conn)
        where = link(conn, run)
    head = told.log.head()
    assert told.differences(mlflow) == []
    assert (back.is_reachable, back.lag(head), back.points, back.mirrored_runs) == (True, 0, 6, 1)
    assert where.url("http://m/") == f"http://m/#/experiments/1/runs/{mlflow.find_active(run)[0].id}"


def test_an_mlflow_that_comes_back_empty_is_told_all_again(story, told):
    class Emptied(Mlflow):
        def ping(self):
            if self.is_down and self.calls > 2:
                self.__init__()
            super().ping()

    run, mlflow = story.request(), Emptied()
    story.start(run)
    story.points(run, range(3))
    told.catch_up(mlflow)
    mlflow.is_down, mlflow.calls = True, 0
    other = story.request()
    story.start(other)
    story.points(other, range(2))
    stop = threading.Event()
    thread = threading.Thread(target=told.sink(mlflow).run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: told.sink(mlflow).position() == told.log.head() and not told.differences(mlflow))
    finally:
        stop.set()
        thread.join()
    assert steps_told(mlflow, run) == [0, 1, 2]
    assert steps_told(mlflow, other) == [0, 1]


def test_a_sink_that_starts_at_an_emptied_mlflow_tells_all_again(story, told, mlflow):
    run = story.request()
    told.catch_up(mlflow)
    empty = Mlflow()
    told.catch_up(empty)
    assert len(empty.find_active(run)) == 1
    assert told.differences(empty) == []


def test_a_mirror_that_somebody_trashed_is_written_anew(story, told, mlflow):
    run = story.request()
    story.start(run)
    story.points(run, range(3))
    told.catch_up(mlflow)
    mlflow.trash_run(mlflow.find_active(run)[0].id)
    story.points(run, range(3, 5))
    told.catch_up(mlflow)
    assert steps_told(mlflow, run) == [0, 1, 2, 3, 4]
    assert told.differences(mlflow) == []


def test_a_mirror_that_is_trashed_while_its_files_are_moved_is_written_anew(story, told):
    class Disturbed(Mlflow):
        def upload(self, run, file, path):
            if len(self.runs) == 1:
                self.trash_run(run)
            super().upload(run, file, path)

    run, mlflow = story.request(), Disturbed()
    story.start(run)
    story.checkpoint(run, 4, story.points(run, range(5)))
    story.tell(f"run-{run}", RunCompleted(attempt=1, step=4))
    told.catch_up(mlflow)
    assert told.differences(mlflow) == []
    assert mlflow.find_active(run)[0].status == "FINISHED"


def test_rebuilt_from_nothing_it_is_the_same(story, told, views, mlflow):
    run = story.request()
    story.start(run)
    story.checkpoint(run, 4, story.points(run, range(5)))
    told.catch_up(mlflow)
    rebuild(views)
    empty = Mlflow()
    told.catch_up(empty)
    assert told.differences(empty) == []


def test_a_rebuild_keeps_the_mirrors_that_are_right(story, told, views, mlflow):
    right, wrong, other = story.request(tags={"a": "b"}), story.request(), story.request()
    for run in (right, wrong, other):
        story.start(run)
        story.checkpoint(run, 4, story.points(run, range(5)))
    told.catch_up(mlflow)
    before = {run: mlflow.find_active(run)[0].id for run in (right, wrong, other)}
    mlflow.log_params(before[wrong], {"foreign": "1"})
    foreign = DatasetUse(name="foreign", digest="d", source="{}", profile="{}", context="training")
    mlflow.log_datasets(before[other], [foreign])
    mlflow.log_tags(before[right], {"foreign": "1"})
    assert {difference.run_id for difference in told.differences(mlflow)} == {right, wrong, other}
    rebuild(views)
    told.catch_up(mlflow)
    assert told.differences(mlflow) == []
    assert mlflow.find_active(right)[0].id == before[right]
    assert mlflow.find_active(wrong)[0].id != before[wrong]
    assert mlflow.find_active(other)[0].id != before[other]
    assert len(mlflow.models) == 3


def test_a_sink_that_runs_during_a_rebuild_stops(story, told, views, mlflow):
    sink, stop = told.sink(mlflow), threading.Event()
    sink.begin(stop)
    rebuild(views)
    story.request()
    with pytest.raises(TakenOver):
        sink.step(0, stop)
    assert mlflow.runs == {}


def test_two_experiments_of_one_name_are_two(story, told, mlflow):
    mlflow.create_experiment("sums", {})
    one, two = story.experiment("sums"), story.experiment("sums")
    told.catch_up(mlflow)
    assert [found.name for found in mlflow.experiments.values()] == ["sums", f"sums ({two[:8]})"]
    assert mlflow.find_experiment(one).name == "sums"


def test_thousands_of_points_go_in_calls_of_a_thousand(story, told, mlflow):
    run = story.request()
    story.start(run)
    for start in range(0, 2_400, 400):
        story.points(run, range(start, start + 400))
    told.catch_up(mlflow)
    assert mlflow.calls == 5
    assert told.differences(mlflow) == []


def wait_until(condition, seconds=20.0):
    waiting = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        waiting.wait(0.02)
    raise TimeoutError("not in time")
