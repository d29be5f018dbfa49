"""The whole journey with real processes: from a request to the last fact, and whatever may befall it."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from sqlalchemy import update

from runledger.tracker.aggregates.run import RequestCancellation, RequestPause, ResumeRun, Run
from runledger.tracker.events.run import RunCancelled, RunCompleted, RunFailed, RunPreempted
from runledger.tracker.ids import RunId
from runledger.tracker.spec import Limits
from runledger.tracker.store import announcements, leases
from runledger.tracker.store.engine import read, write
from runledger.tracker.store.tables import workers
from tests.trainer.world import SOMEBODY, Worker, World

pytestmark = pytest.mark.system


def start_gated(world: World, *, gate_at: int, **values: object) -> tuple[RunId, Path]:
    """A run that has logged `gate_at` steps and waits for its gate to open."""
    gate = world.folder / "gate"
    run_id = world.request(gate=str(gate), gate_at=gate_at, **values)
    world.wait(lambda: world.journal_step(run_id) == gate_at)
    return run_id, gate


def attempts(run: Run) -> list[tuple[int, str | None, int | None]]:
    """Number, outcome, and the step from which it went on."""
    return [
        (each.number, each.outcome, each.resumed_from.step if each.resumed_from else None)
        for each in run.attempts
    ]


def test_a_requested_run_is_trained_to_its_end(world: World) -> None:
    run_id = world.request(steps=20, benchmark=world.benchmark())
    world.start_worker()
    run = world.wait_for(run_id, "completed")
    assert [checkpoint.step for checkpoint in run.checkpoints] == [0, 5, 10, 15, 20]
    tags = world.tags(run_id)
    assert tags[:3] == ["RunRequested", "RunStarted", "RunEnvironmentRecorded"]
    assert tags[3:-1] == ["RunCheckpointed", "RunEvaluated"] * 5
    completed = world.events(run_id)[-1]
    assert isinstance(completed, RunCompleted)
    assert completed.step == 20
    losses = [step for key, step, _ in world.points(run_id, 1) if key == "train/loss"]
    assert losses == list(range(1, 21))
    assert world.output(run_id).count("step ") == 20


def test_every_checkpoint_covers_what_was_logged_before_it(sqlite_world: World) -> None:
    run_id = sqlite_world.request(steps=10)
    sqlite_world.start_worker()
    run = sqlite_world.wait_for(run_id, "completed")
    covered = [len(sqlite_world.points(run_id, 1, each.covers)) for each in run.checkpoints]
    assert covered == [0, 2 * 5, 2 * 10]


def test_a_killed_child_is_resumed_and_its_curve_is_that_of_a_twin(world: World) -> None:
    values = {"steps": 30, "seed": 7}
    killed = world.request(fault="kill", fault_at=18, **values)
    twin = world.request(**values)
    world.start_worker()
    run, whole = world.wait_for(killed, "completed"), world.wait_for(twin, "completed")
    assert attempts(run) == [(1, "lost", None), (2, "completed", 15)]
    assert world.curve(killed) == world.curve(twin)
    assert max(step for _, step, _ in world.points(killed, 1)) == 17
    assert run.checkpoints[-1].digest == whole.checkpoints[-1].digest


def test_a_killed_worker_costs_an_attempt_and_nothing_else(world: World) -> None:
    values = {"steps": 20, "seed": 7}
    worker = world.start_worker()
    killed, gate = start_gated(world, gate_at=12, **values)
    world.wait(lambda: len(world.run(killed).checkpoints) == 3)
    worker.kill()
    gate.touch()
    world.start_worker()
    twin = world.request(**values)
    run = world.wait_for(killed, "completed")
    world.wait_for(twin, "completed")
    assert attempts(run) == [(1, "lost", None), (2, "completed", 10)]
    assert world.curve(killed) == world.curve(twin)
    world.wait(lambda: len(world.points(killed, 1)) == 2 * 12)
    world.wait(lambda: not list((worker.data / "attempts").iterdir()))


def test_an_attempt_that_dies_again_and_again_fails_its_run(sqlite_world: World) -> None:
    run_id = sqlite_world.request(
        limits=Limits(attempts=2), steps=10, fault="kill", fault_at=3, fault_attempts=9
    )
    sqlite_world.start_worker()
    run = sqlite_world.wait_for(run_id, "failed")
    assert attempts(run) == [(1, "lost", None), (2, "failed", 0)]
    failed = sqlite_world.events(run_id)[-1]
    assert isinstance(failed, RunFailed)
    assert (failed.reason, failed.error_class) == ("error", "ProcessDied")
    assert "SIGKILL" in failed.message


def test_a_failure_is_told_with_its_reason_and_last_lines(sqlite_world: World) -> None:
    faults = {"error": "error", "diverged": "diverged", "memory": "out-of-memory"}
    runs = {fault: sqlite_world.request(fault=fault, fault_at=3) for fault in faults}
    unknown = sqlite_world.request(stepz=3)
    no_benchmark = sqlite_world.request(benchmark="nobody-has-this")
    sqlite_world.start_worker()
    for fault, reason in faults.items():
        sqlite_world.wait_for(runs[fault], "failed")
        failed = sqlite_world.events(runs[fault])[-1]
        assert isinstance(failed, RunFailed)
        assert failed.reason == reason
        assert any("Traceback" in line for line in failed.last_lines)
        assert "Traceback" in sqlite_world.output(runs[fault])
    sqlite_world.wait_for(unknown, "failed")
    assert "stepz" in sqlite_world.events(unknown)[-1].message
    sqlite_world.wait_for(no_benchmark, "failed")
    assert "nobody-has-this" in sqlite_world.events(no_benchmark)[-1].message


def test_a_cancelled_run_stops_at_a_step_boundary_with_a_checkpoint(world: World) -> None:
    worker = world.start_worker()
    run_id, _ = start_gated(world, gate_at=7)
    world.dispatcher.dispatch(RequestCancellation(run_id=run_id, reason="enough"), SOMEBODY)
    run = world.wait_for(run_id, "cancelled")
    cancelled = world.events(run_id)[-1]
    assert isinstance(cancelled, RunCancelled)
    last = run.checkpoints[-1]
    assert (cancelled.step, cancelled.checkpoint) == (last.step, last.digest)
    assert last.step in (7, 8)
    assert worker.drain() == 0


def test_a_run_that_does_not_listen_is_ended_by_force(sqlite_world: World) -> None:
    sqlite_world.start_worker(grace_seconds=0.3, terminate_seconds=0.3)
    run_id = sqlite_world.request(fault="deaf", fault_at=7)
    sqlite_world.wait(lambda: len(sqlite_world.run(run_id).checkpoints) == 2)
    sqlite_world.dispatcher.dispatch(RequestCancellation(run_id=run_id), SOMEBODY)
    run = sqlite_world.wait_for(run_id, "cancelled")
    assert run.checkpoints[-1].step == 5


def test_a_paused_run_goes_on_where_it_stood(sqlite_world: World) -> None:
    sqlite_world.start_worker()
    run_id, gate = start_gated(sqlite_world, gate_at=7)
    sqlite_world.dispatcher.dispatch(RequestPause(run_id=run_id), SOMEBODY)
    paused = sqlite_world.wait_for(run_id, "paused")
    step = paused.checkpoints[-1].step
    gate.touch()
    sqlite_world.dispatcher.dispatch(ResumeRun(run_id=run_id), SOMEBODY)
    run = sqlite_world.wait_for(run_id, "completed")
    assert attempts(run) == [(1, "paused", None), (2, "completed", step)]
    assert [s for key, s, _ in sqlite_world.curve(run_id) if key == "train/x"] == list(range(1, 21))


def test_a_worker_that_has_to_end_preempts_and_another_goes_on(sqlite_world: World) -> None:
    first = sqlite_world.start_worker("first")
    run_id, gate = start_gated(sqlite_world, gate_at=7)
    assert first.drain() == 0
    preempted = next(each for each in sqlite_world.events(run_id) if isinstance(each, RunPreempted))
    assert preempted.step in (7, 8)
    assert sqlite_world.run(run_id).status == "queued"
    gate.touch()
    sqlite_world.start_worker("second")
    run = sqlite_world.wait_for(run_id, "completed")
    assert attempts(run) == [(1, "preempted", None), (2, "completed", preempted.step)]


def test_the_next_run_is_executed_by_the_spare_of_the_last(sqlite_world: World) -> None:
    worker = sqlite_world.start_worker()
    runs = []
    for _ in range(2):
        runs.append(sqlite_world.request(steps=3))
        sqlite_world.wait_for(runs[-1], "completed")

    assert "which was spare, begins" in worker.output()
    assert sqlite_world.curve(runs[0]) == sqlite_world.curve(runs[1])
    assert sqlite_world.output(runs[0]) == sqlite_world.output(runs[1])


def test_a_killed_worker_leaves_no_spare_behind(sqlite_world: World) -> None:
    worker = sqlite_world.start_worker()
    sqlite_world.wait_for(sqlite_world.request(steps=3), "completed")
    sqlite_world.wait(lambda: len(spares(worker)) == 1)
    spare = spares(worker)[0]

    worker.kill()

    gone, _ = psutil.wait_procs([spare], timeout=30)
    assert gone == [spare]


def spares(worker: Worker) -> list[psutil.Process]:
    children = psutil.Process(worker.process.pid).children()
    return [child for child in children if "runledger.trainer.attempt.spare" in child.cmdline()]


def test_a_run_begins_also_where_nobody_gives_a_hint(postgresql_world: World) -> None:
    """Requests of these tests ring no bell: the poll finds them."""
    worker = postgresql_world.start_worker()
    postgresql_world.wait(lambda: "is ready" in worker.output())

    run_id = postgresql_world.request(steps=1)

    postgresql_world.wait_for(run_id, "completed")


def test_limits_end_what_hangs_and_what_takes_too_long(sqlite_world: World) -> None:
    hanging = sqlite_world.request(limits=Limits(no_progress_seconds=1.5), fault="deaf", fault_at=3, steps=10)
    slow = sqlite_world.request(limits=Limits(wall_seconds=1.5), steps=1000, step_seconds=0.02)
    sqlite_world.start_worker(worker_threads=2)
    for run_id, reason in ((hanging, "no-progress"), (slow, "timed-out")):
        sqlite_world.wait_for(run_id, "failed")
        failed = sqlite_world.events(run_id)[-1]
        assert isinstance(failed, RunFailed)
        assert failed.reason == reason
    assert sqlite_world.run(slow).checkpoints


def test_who_has_lost_the_lease_says_nothing_more(sqlite_world: World) -> None:
    worker = sqlite_world.start_worker()
    run_id, _ = start_gated(sqlite_world, gate_at=7)
    with write(sqlite_world.engine) as conn:
        lease = leases.get(conn, f"run-{run_id}")
        assert lease is not None
        assert leases.revoke(conn, lease.stream, lease.epoch)
    before = sqlite_world.tags(run_id)
    sqlite_world.wait(lambda: "is over" in worker.output())
    assert sqlite_world.tags(run_id) == before
    assert not list((worker.data / "attempts").iterdir())


def test_runs_are_started_by_priority(sqlite_world: World) -> None:
    runs = [sqlite_world.request(steps=1, priority=priority) for priority in (0, 5, 9)]
    sqlite_world.start_worker()
    for run_id in runs:
        sqlite_world.wait_for(run_id, "completed")
    page = sqlite_world.log.tail(0, kinds=("run",))
    started = [each.stream.removeprefix("run-") for each in page.events if each.type == "RunStarted"]
    assert started == list(reversed(runs))


def test_two_workers_on_one_database_step_on_nobody(postgresql_world: World) -> None:
    world = postgresql_world
    for name in ("one", "two"):
        world.start_worker(name)
    runs = [world.request(steps=10, step_seconds=0.05) for _ in range(6)]
    finished = [world.wait_for(run_id, "completed") for run_id in runs]
    assert all(len(run.attempts) == 1 for run in finished)
    assert len({run.attempts[0].worker for run in finished}) == 2


def test_an_outage_of_the_database_does_not_stop_a_training(postgresql_world: World) -> None:
    world = postgresql_world
    world.start_worker(lease_seconds=4)
    run_id, gate = start_gated(world, gate_at=7, steps=25)
    with world.outage():
        gate.touch()
        world.wait(lambda: "step 25 " in world.journal_output(run_id))
    run = world.wait_for(run_id, "completed")
    assert attempts(run) == [(1, "completed", None)]
    assert [step for key, step, _ in world.points(run_id, 1) if key == "train/x"] == list(range(1, 26))


def test_a_worker_that_vanished_long_ago_is_forgotten_by_those_that_live(sqlite_world: World) -> None:
    vanished = sqlite_world.services("vanished").worker
    with write(sqlite_world.log.engine) as conn:
        announcements.announce(conn, vanished)
        conn.execute(update(workers).values(seen_at=0))

    sqlite_world.start_worker()

    def present() -> list[str]:
        with read(sqlite_world.log.engine) as conn:
            return [worker.worker_id for worker in announcements.workers(conn)]

    sqlite_world.wait(lambda: len(present()) == 1 and "vanished" not in present())
