"""Stopping a child: for which reason, and how hard, as time goes by."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import cast

import pytest

from runledger.tracker.journal import Points, Progress, encode_frame
from runledger.tracker.spec import Limits
from runledger.trainer.child import Child
from runledger.trainer.heartbeat import Heartbeat
from runledger.trainer.progress import ProgressWatch
from runledger.trainer.settings import TrainerSettings
from runledger.trainer.watching import Reasons, Watch

SETTINGS = TrainerSettings(grace_seconds=10, terminate_seconds=5)


class FakeChild:
    pid = 1

    def __init__(self) -> None:
        self.done: list[str] = []

    def poll(self) -> int | None:
        return -9 if "kill" in self.done else None

    def ask_to_stop(self) -> None:
        self.done.append("ask")

    def terminate(self) -> None:
        self.done.append("terminate")

    def kill(self) -> None:
        self.done.append("kill")


class FakeHeartbeat:
    def __init__(self) -> None:
        self.is_lost = threading.Event()
        self.stop_requested = threading.Event()


class Scene:
    """A child that is watched, on a clock that is set by hand."""

    def __init__(self, journal: Path, limits: Limits) -> None:
        self.now = 0.0
        self.journal = journal
        self.child, self.heartbeat, self.preempted = FakeChild(), FakeHeartbeat(), threading.Event()
        progress = ProgressWatch(journal, lambda: self.now)
        child, heartbeat = cast(Child, self.child), cast(Heartbeat, self.heartbeat)
        clock = lambda: self.now  # noqa: E731
        reasons = Reasons(heartbeat, self.preempted, limits=limits, started_at=0.0, clock=clock)
        self.watch = Watch(child, progress, heartbeat, reasons, settings=SETTINGS, clock=clock)

    def at(self, now: float) -> list[str]:
        self.now = now
        self.watch.look()
        return self.child.done

    def moves(self, record: Progress | Points) -> None:
        with self.journal.open("ab") as file:
            file.write(encode_frame(record))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "journal", Limits(no_progress_seconds=60, wall_seconds=100))


def test_a_request_asks_first_and_presses_on_only_after_the_grace_period(scene: Scene) -> None:
    assert scene.at(1) == []
    scene.heartbeat.stop_requested.set()
    assert scene.at(2) == ["ask"]
    assert scene.at(11.9) == ["ask"]
    assert scene.at(12.1) == ["ask", "terminate"]
    assert scene.at(17.0) == ["ask", "terminate"]
    assert scene.at(17.2) == ["ask", "terminate", "kill"]
    assert scene.watch.cause == "request"


def test_a_worker_that_has_to_end_preempts(scene: Scene) -> None:
    scene.preempted.set()
    assert scene.at(1) == ["ask"]
    assert scene.watch.cause == "preemption"


def test_a_lost_lease_kills_at_once(scene: Scene) -> None:
    scene.heartbeat.is_lost.set()
    assert scene.at(1) == ["kill"]
    assert scene.watch.until_end() == -9


def test_who_does_not_move_is_terminated_without_being_asked(scene: Scene) -> None:
    assert scene.at(59) == []
    assert scene.at(61) == ["terminate"]
    assert scene.watch.cause == "no-progress"


def test_movement_is_a_step_or_an_item_not_a_repetition(scene: Scene) -> None:
    scene.moves(Points(step=1, time=0, values={"loss": 1.0}))
    assert scene.at(50) == []
    scene.moves(Points(step=1, time=0, values={"memory": 1.0}))
    assert scene.at(109) == ["ask"]  # the whole takes too long, before it counts as hanging
    assert scene.watch.cause == "timed-out"


def test_items_of_an_evaluation_are_movement(scene: Scene) -> None:
    scene.moves(Progress(phase="evaluating", done=1, total=500))
    scene.at(55)
    scene.moves(Progress(phase="evaluating", done=2, total=500))
    assert scene.at(99) == []
