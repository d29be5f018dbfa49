"""A run's life with real workers, whatever is asked of it and whenever: stop, drain, fork, silence."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import psutil
import pytest

from runledger.tracker.aggregates.run import (
    RequestCancellation,
    RequestPause,
    ResumeRun,
    RetryRun,
    Run,
    fork_point,
)
from runledger.tracker.events.run import RunAttemptLost, RunCancelled, RunEnvironmentRecorded, RunFailed
from runledger.tracker.ids import RunId, run_stream
from runledger.tracker.spec import Limits
from runledger.tracker.store import dispatches
from runledger.tracker.store.engine import read
from tests.trainer.test_journey import attempts, start_gated
from tests.trainer.world import SOMEBODY, Worker, World

pytestmark = pytest.mark.system

ITEMS = b'{"id": "1"}\n'
DIGEST = hashlib.sha256(ITEMS).hexdigest()


class Phase:
    """A run that has been brought into a phase of its life, and what lets it go on from there."""

    def __init__(self, run_id: RunId, saved: int | None, let_go_on: Callable[[], object]) -> None:
        self.run_id = run_id
        self.saved = saved
        """The step of the checkpoint that a stop leaves; None where there is none."""
        self.let_go_on = let_go_on


def queued(world: World) -> Phase:
    run_id = world.request(steps=20)
    return Phase(run_id, None, world.start_worker)


def preparing(world: World) -> Phase:
    """What it needs cannot be read."""
    store = block(world)
    worker = world.start_worker()
    run_id = world.request(steps=20, dataset=DIGEST)
    world.wait(lambda: world.run(run_id).status == "running" and "trying again" in worker.output())
    return Phase(run_id, None, store)


def block(world: World) -> Callable[[], object]:
    """A folder lies in the place of the items; what puts them there, in one move."""
    place = world.folder / "blobs" / DIGEST[:2] / DIGEST
    place.parent.mkdir(parents=True)
    place.symlink_to(world.folder)
    items = world.folder / "items"
    items.write_bytes(ITEMS)
    return lambda: items.replace(place)


def starting(world: World) -> Phase:
    """Its process has hardly begun to import."""
    world.start_worker()
    gate = world.folder / "gate"
    run_id = world.request(steps=20, gate=str(gate), gate_at=0)
    world.wait(lambda: world.run(run_id).status == "running")
    return Phase(run_id, 0, gate.touch)


def training(world: World) -> Phase:
    world.start_worker()
    run_id, gate = start_gated(world, gate_at=7)
    return Phase(run_id, 7, gate.touch)


def evaluating(world: World) -> Phase:
    """At step 5, before its checkpoint."""
    world.start_worker()
    gate = world.folder / "evaluation-gate"
    run_id = world.request(steps=20, benchmark=world.benchmark(), evaluation_gate=str(gate))
    world.wait(lambda: world.journal_step(run_id) == 5)
    return Phase(run_id, 5, gate.touch)


def between_attempts(world: World) -> Phase:
    """Its worker has gone, no other is there."""
    worker = world.start_worker("gone")
    run_id, gate = start_gated(world, gate_at=7)
    assert worker.drain() == 0
    assert world.run(run_id).status == "queued"

    def go_on() -> None:
        gate.touch()
        world.start_worker("next")

    return Phase(run_id, 7, go_on)


PHASES = [queued, preparing, starting, training, evaluating, between_attempts]


@pytest.mark.parametrize("bring", PHASES)
def test_a_run_is_cancelled_in_every_phase_once_and_for_all(
    sqlite_world: World, bring: Callable[[World], Phase]
) -> None:
    phase = bring(sqlite_world)
    cancel = RequestCancellation(run_id=phase.run_id, reason="enough")
    for _ in range(2):
        sqlite_world.dispatcher.dispatch(cancel, SOMEBODY)
    run = sqlite_world.wait_for(phase.run_id, "cancelled")

    assert sqlite_world.tags(phase.run_id).count("RunCancellationRequested") == 1
    cancelled = sqlite_world.events(phase.run_id)[-1]
    assert isinstance(cancelled, RunCancelled)
    assert_stopped_at(phase, run, cancelled.step)
    sqlite_world.dispatcher.dispatch(cancel, SOMEBODY)
    phase.let_go_on()
    sqlite_world.wait_for(sqlite_world.request(steps=1), "completed")
    assert sqlite_world.events(phase.run_id)[-1] == cancelled


@pytest.mark.parametrize("bring", PHASES)
def test_a_run_is_paused_in_every_phase_and_goes_on_as_if_nothing_had_been(
    sqlite_world: World, bring: Callable[[World], Phase]
) -> None:
    phase = bring(sqlite_world)
    for _ in range(2):
        sqlite_world.dispatcher.dispatch(RequestPause(run_id=phase.run_id), SOMEBODY)
    run = sqlite_world.wait_for(phase.run_id, "paused")
    assert_stopped_at(phase, run, sqlite_world.events(phase.run_id)[-1].step)

    phase.let_go_on()
    sqlite_world.dispatcher.dispatch(ResumeRun(run_id=phase.run_id), SOMEBODY)
    run = sqlite_world.wait_for(phase.run_id, "completed")

    assert [step for key, step, _ in sqlite_world.curve(phase.run_id) if key == "train/x"] == list(
        range(1, 21)
    )
    if run.requested.spec.values.get("benchmark"):
        assert [step for _, step in sorted(evaluated(run))] == [0, 5, 10, 15, 20]


def assert_stopped_at(phase: Phase, run: Run, step: int | None) -> None:
    """At the step boundary that comes next: the one it stood at, or the one it was about to reach."""
    last = run.last_checkpoint
    if phase.saved is None:
        assert (step, last) == (None, None)
    else:
        assert last is not None
        assert step == last.step
        assert step in (phase.saved, phase.saved + 1)


def evaluated(run: Run) -> list[tuple[int, int]]:
    return [(each.attempt, each.step) for each in run.evaluations.values()]


def test_a_paused_attempt_that_is_cancelled_before_it_has_stopped_is_cancelled(sqlite_world: World) -> None:
    phase = training(sqlite_world)
    sqlite_world.dispatcher.dispatch(RequestPause(run_id=phase.run_id), SOMEBODY)
    if sqlite_world.run(phase.run_id).status == "pausing":
        sqlite_world.dispatcher.dispatch(RequestCancellation(run_id=phase.run_id), SOMEBODY)
        sqlite_world.wait_for(phase.run_id, "cancelled")
    else:
        sqlite_world.dispatcher.dispatch(RequestCancellation(run_id=phase.run_id), SOMEBODY)
        assert sqlite_world.run(phase.run_id).status == "cancelled"


def test_what_cannot_be_prepared_is_given_up_after_the_attempts_time(sqlite_world: World) -> None:
    block(sqlite_world)
    sqlite_world.start_worker()
    run_id = sqlite_world.request(dataset=DIGEST, limits=Limits(wall_seconds=1.5))
    sqlite_world.wait_for(run_id, "failed")
    failed = sqlite_world.events(run_id)[-1]
    assert isinstance(failed, RunFailed)
    assert (failed.reason, failed.message) == ("timed-out", "not done after 1.5 s")


def test_a_preparation_that_takes_long_counts_neither_as_a_hang_nor_against_what_follows(
    sqlite_world: World,
) -> None:
    store = block(sqlite_world)
    sqlite_world.start_worker()
    run_id = sqlite_world.request(dataset=DIGEST, limits=Limits(no_progress_seconds=5))
    sqlite_world.wait(lambda: sqlite_world.run(run_id).status == "running")
    began_at = time.monotonic()
    sqlite_world.wait(lambda: time.monotonic() - began_at > 6)
    store()
    assert attempts(sqlite_world.wait_for(run_id, "completed")) == [(1, "completed", None)]


def test_a_failed_run_is_retried_from_its_last_checkpoint_with_its_attempts_anew(sqlite_world: World) -> None:
    sqlite_world.start_worker()
    run_id = sqlite_world.request(limits=Limits(attempts=1), fault="kill", fault_at=8, fault_attempts=1)
    sqlite_world.wait_for(run_id, "failed")
    sqlite_world.dispatcher.dispatch(RetryRun(run_id=run_id), SOMEBODY)
    run = sqlite_world.wait_for(run_id, "completed")
    assert attempts(run) == [(1, "failed", None), (2, "completed", 5)]


def test_a_crash_says_how_the_process_ended_also_where_another_attempt_follows(sqlite_world: World) -> None:
    sqlite_world.start_worker()
    run_id = sqlite_world.request(fault="kill", fault_at=8)
    sqlite_world.wait_for(run_id, "completed")
    lost = next(each for each in sqlite_world.events(run_id) if isinstance(each, RunAttemptLost))
    assert lost.message == "killed by signal 9 (SIGKILL)"
    assert isinstance(lost.last_lines, tuple)
    assert any(line.startswith("step 7 ") for line in lost.last_lines)


# the end of a child


def test_a_child_that_ignores_everything_is_gone_with_all_that_it_started(sqlite_world: World) -> None:
    sqlite_world.start_worker(grace_seconds=0.5, terminate_seconds=0.5)
    run_id = sqlite_world.request(fault="stubborn", fault_at=8)
    folder = f"data-w/attempts/{run_id}-1/sleeping"
    sqlite_world.wait(lambda: bool(list(sqlite_world.folder.glob(folder))))
    sqlite_world.wait(lambda: bool((sqlite_world.folder / folder).read_text()))
    grandchild = psutil.Process(int((sqlite_world.folder / folder).read_text()))
    child = grandchild.parent()
    assert child is not None

    sqlite_world.dispatcher.dispatch(RequestCancellation(run_id=run_id), SOMEBODY)
    run = sqlite_world.wait_for(run_id, "cancelled")

    _, alive = psutil.wait_procs([child, grandchild], timeout=30)
    assert alive == []
    assert run.last_checkpoint is not None
    assert run.last_checkpoint.step == 5


# a worker that goes


def drain(worker: Worker) -> None:
    worker.process.send_signal(signal.SIGUSR1)


def test_a_drained_worker_finishes_what_it_trains_and_takes_nothing_new(sqlite_world: World) -> None:
    worker = sqlite_world.start_worker("first")
    run_id, gate = start_gated(sqlite_world, gate_at=7)
    before = sqlite_world.request(steps=1)
    sqlite_world.wait(lambda: is_waiting(sqlite_world, before))
    drain(worker)
    sqlite_world.wait(lambda: "is drained" in worker.output())
    after = sqlite_world.request(steps=1)
    gate.touch()
    assert worker.process.wait(timeout=60) == 0
    assert attempts(sqlite_world.run(run_id)) == [(1, "completed", None)]
    assert [sqlite_world.run(each).status for each in (before, after)] == ["queued", "queued"]
    sqlite_world.start_worker("second")
    for each in (before, after):
        sqlite_world.wait_for(each, "completed")


def is_waiting(world: World, run_id: RunId) -> bool:
    """For any worker to claim it."""
    with read(world.engine) as conn:
        return dispatches.get(conn, run_stream(run_id), 1) is not None


def test_an_idle_worker_that_is_drained_ends_at_once(sqlite_world: World) -> None:
    worker = sqlite_world.start_worker()
    sqlite_world.wait(lambda: "is ready" in worker.output())
    drain(worker)
    assert worker.process.wait(timeout=60) == 0


def test_a_drained_worker_that_has_to_end_at_once_preempts(sqlite_world: World) -> None:
    worker = sqlite_world.start_worker("first")
    run_id, _ = start_gated(sqlite_world, gate_at=7)
    drain(worker)
    sqlite_world.wait(lambda: "is drained" in worker.output())
    assert worker.drain() == 0
    assert attempts(sqlite_world.run(run_id)) == [(1, "preempted", None)]
    assert sqlite_world.run(run_id).status == "queued"


def test_while_one_is_drained_the_others_are_given_what_comes(postgresql_world: World) -> None:
    first = postgresql_world.start_worker("first")
    run_id, gate = start_gated(postgresql_world, gate_at=7)
    drain(first)
    postgresql_world.wait(lambda: "is drained" in first.output())
    postgresql_world.start_worker("second")
    postgresql_world.wait_for(postgresql_world.request(steps=1), "completed")
    gate.touch()
    assert first.process.wait(timeout=60) == 0
    assert postgresql_world.run(run_id).status == "completed"


def test_preemptions_do_not_count_against_the_attempts(sqlite_world: World) -> None:
    gate = sqlite_world.folder / "gate"
    run_id = sqlite_world.request(limits=Limits(attempts=1), gate=str(gate), gate_at=7)
    for number in (1, 2):
        worker = sqlite_world.start_worker(f"w{number}")
        sqlite_world.wait(lambda: sqlite_world.run(run_id).current is not None)
        sqlite_world.wait(lambda: bool(sqlite_world.run(run_id).checkpoints))
        assert worker.drain() == 0
    gate.touch()
    sqlite_world.start_worker("w3")
    run = sqlite_world.wait_for(run_id, "completed")
    assert [outcome for _, outcome, _ in attempts(run)] == ["preempted", "preempted", "completed"]


# a worker that is silent, and comes back


@pytest.mark.parametrize("child_goes_on", [True, False], ids=["its child has finished", "its child hangs"])
def test_a_worker_that_slept_past_its_lease_tells_nothing_more(
    sqlite_world: World, child_goes_on: bool
) -> None:
    gate = sqlite_world.folder / "gate"
    fault = {"gate": str(gate), "gate_at": 7} if child_goes_on else {"fault": "deaf", "fault_at": 8}
    sleeper = sqlite_world.start_worker("sleeper")
    run_id = sqlite_world.request(steps=20, seed=7, **fault)
    sqlite_world.wait(lambda: sqlite_world.journal_step(run_id) == 7)
    sqlite_world.wait(lambda: len(sqlite_world.points(run_id, 1)) == 2 * 5)
    child = next(each for each in psutil.Process(sleeper.process.pid).children() if is_attempt(each))
    os.kill(sleeper.process.pid, signal.SIGSTOP)
    try:
        sqlite_world.start_worker("other")
        sqlite_world.wait(lambda: sqlite_world.run(run_id).attempt == 2)
        gate.touch()
        sqlite_world.wait_for(run_id, "completed")
        tags = sqlite_world.tags(run_id)
        curve = sqlite_world.curve(run_id)
        if child_goes_on:
            psutil.wait_procs([child], timeout=5)
    finally:
        os.kill(sleeper.process.pid, signal.SIGCONT)

    sqlite_world.wait(lambda: "is over" in sleeper.output())
    _, alive = psutil.wait_procs([child], timeout=30)
    assert alive == []
    assert attempts(sqlite_world.run(run_id)) == [(1, "lost", None), (2, "completed", 5)]
    assert sqlite_world.tags(run_id) == tags
    assert sqlite_world.curve(run_id) == curve
    assert [step for key, step, _ in curve if key == "train/x"] == list(range(1, 21))
    sqlite_world.wait_for(sqlite_world.request(steps=1), "completed")


def is_attempt(process: psutil.Process) -> bool:
    return "runledger.trainer.attempt" in process.cmdline()


# forks, and what is not exact


def environments(world: World, run_id: RunId) -> list[tuple[str | None, tuple[str, ...]]]:
    found = [each for each in world.events(run_id) if isinstance(each, RunEnvironmentRecorded)]
    return [(each.resume, each.changed) for each in found]


def has_told(world: World, run_id: RunId, number: int) -> bool:
    return len(environments(world, run_id)) == number


def test_a_fork_begins_where_the_other_run_stood(sqlite_world: World) -> None:
    sqlite_world.start_worker()
    origin = sqlite_world.request(steps=20, seed=7)
    run = sqlite_world.wait_for(origin, "completed")
    same = fork_point(run, origin, run.spec, 10)
    slower = msgspec.structs.replace(run.spec, values={**run.spec.values, "rate": 0.01})
    changed = fork_point(run, origin, slower, 10)

    twin = sqlite_world.request(asked={"forked_from": same}, steps=20, seed=7)
    other = sqlite_world.request(asked={"forked_from": changed}, steps=20, seed=7, rate=0.01)
    for each in (twin, other):
        assert attempts(sqlite_world.wait_for(each, "completed")) == [(1, "completed", None)]

    tail = [point for point in sqlite_world.curve(origin) if point[1] > 10]
    assert sqlite_world.curve(twin) == tail
    assert [point[:2] for point in sqlite_world.curve(other)] == [point[:2] for point in tail]
    assert sqlite_world.curve(other) != tail
    assert environments(sqlite_world, twin) == [("exact", ())]
    assert environments(sqlite_world, other) == [("changed", ("spec.rate",))]
    assert sqlite_world.run(origin) == run


def test_a_fork_that_is_lost_before_its_first_checkpoint_begins_there_once_more(sqlite_world: World) -> None:
    sqlite_world.start_worker()
    origin = sqlite_world.request(steps=10)
    run = sqlite_world.wait_for(origin, "completed")
    fork = sqlite_world.request(
        asked={"forked_from": fork_point(run, origin, run.spec)}, steps=20, fault="kill", fault_at=12
    )
    forked = sqlite_world.wait_for(fork, "completed")
    assert attempts(forked) == [(1, "lost", None), (2, "completed", None)]
    assert [step for key, step, _ in sqlite_world.points(fork, 2) if key == "train/x"] == list(range(11, 21))


def test_a_fork_of_bytes_that_nobody_has_fails_with_their_digest(sqlite_world: World) -> None:
    sqlite_world.start_worker()
    origin = sqlite_world.request(steps=10)
    run = sqlite_world.wait_for(origin, "completed")
    point = fork_point(run, origin, run.spec)
    sqlite_world.blobs.delete(point.digest)
    fork = sqlite_world.request(asked={"forked_from": point}, steps=20)
    sqlite_world.wait_for(fork, "failed")
    assert point.digest in sqlite_world.events(fork)[-1].message


def test_a_resume_with_other_flags_says_that_it_is_not_exact(sqlite_world: World) -> None:
    run_id = sqlite_world.request(steps=100_000, step_seconds=0.02)
    for number, flags in enumerate(("--one", "--one", "--two"), start=1):
        worker = sqlite_world.start_worker(f"w{number}", xla_flags=flags)
        until_told = partial(has_told, sqlite_world, run_id, number)
        sqlite_world.wait(until_told)
        assert worker.drain() == 0
    assert environments(sqlite_world, run_id) == [(None, ()), ("exact", ()), ("changed", ("flags",))]


def test_the_folder_of_an_attempt_that_was_stopped_while_it_was_prepared_is_gone(
    sqlite_world: World, tmp_path: Path
) -> None:
    phase = preparing(sqlite_world)
    sqlite_world.dispatcher.dispatch(RequestCancellation(run_id=phase.run_id), SOMEBODY)
    sqlite_world.wait_for(phase.run_id, "cancelled")
    sqlite_world.wait(lambda: not list((tmp_path / "data-w" / "attempts").iterdir()))
