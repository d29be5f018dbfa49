"""The courier that a run starts: kept alive until the run ends, and then left to itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psutil
import pytest

import runledger
from runledger.api.tracking import courier_process
from runledger.api.tracking.tracked_run import TrackedRun
from tests.api.tracking.conftest import Runs
from tests.system.installation import cmdline, until

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def online(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.delenv("RUNLEDGER_OFFLINE")
    monkeypatch.setenv("RUNLEDGER_FLUSH_SECONDS", "0")
    monkeypatch.setattr(courier_process, "FIRST_WAIT_SECONDS", 0.01)
    return runs


def courier(run: TrackedRun) -> psutil.Process:
    assert run._courier is not None
    assert run._courier.process is not None
    return psutil.Process(run._courier.process.pid)


@pytest.fixture(autouse=True)
def no_courier_stays() -> Iterator[None]:
    """A courier goes on trying as long as this process lives."""
    yield
    left = [child for child in psutil.Process().children() if "runledger.api.courier" in cmdline(child)]
    for child in left:
        child.kill()
    psutil.wait_procs(left, timeout=30)
    until(lambda: not keepers(), 30, "the end of what keeps couriers alive")


def keepers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "courier"]


def test_a_courier_that_dies_is_started_again(online: Runs) -> None:
    with runledger.run("couriers", url=NOWHERE) as run:
        first = courier(run)
        assert first.cmdline()[1:] == ["-P", "-m", "runledger.api.courier", str(run._begun.folder.path)]  # type: ignore[union-attr]
        first.kill()
        until(lambda: courier(run) != first, 30, "another courier")
    last = courier(run)
    last.kill()
    until(lambda: not keepers(), 30, "the end of what keeps couriers alive")
    assert run._courier is not None
    assert run._courier.process is not None
    assert run._courier.process.pid == last.pid


def test_a_training_without_its_tracker_neither_waits_nor_fails(
    online: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    with runledger.run("couriers", url=NOWHERE) as run:
        run.log({"loss": 1.0}, step=1)
        until(lambda: online.attempts()[0].read_control().state == "offline", 30, "the courier to notice")
        run.checkpoint(__file__, step=1)

    ended = online.ended()
    assert ended is not None
    assert ended.outcome == "completed"
    said = capsys.readouterr().err
    assert f"{NOWHERE}/api/v1/runs/{run.id}" in said
    assert "up to 1 points and 1 files" in said
    assert f"`runledger sync {online.journals}` sends them once the tracker is back" in said


def test_no_courier_is_no_reason_not_to_train(
    online: Runs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(courier_process.sys, "executable", "/nowhere/python")
    with runledger.run("couriers", url=NOWHERE) as run:
        run.log({"loss": 1.0}, step=1)
    assert "waits for `runledger sync`: no courier" in caplog.text
    assert online.points() == [(1, {"loss": 1.0})]


def test_a_program_frozen_into_its_executable_does_not_start_itself_again(
    online: Runs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(courier_process.sys, "frozen", True, raising=False)
    with runledger.run("couriers", url=NOWHERE):
        assert not keepers()
    assert "waits for `runledger sync`: no courier" in caplog.text


def test_a_courier_that_never_comes_up_is_warned_of_once(
    online: Runs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As where `runledger` lies on a path that only the script knows."""
    monkeypatch.setattr(courier_process.sys, "executable", "/bin/false")
    with runledger.run("couriers", url=NOWHERE) as run:
        assert run._courier is not None
        first = run._courier.process
        until(lambda: run._courier and run._courier.process is not first, 30, "another courier")
        second = run._courier.process
        until(lambda: run._courier and run._courier.process is not second, 30, "a third courier")
    warned = [record.message for record in caplog.records if "courier.log" in record.message]
    log = online.journals / run.id / "courier.log"
    assert warned == [f"the courier of run {run.id} has ended with status 1 and is started again: see {log}"]


def test_a_courier_that_cannot_do_its_work_is_not_started_for_ever(
    online: Runs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RUNLEDGER_LEASE_SECONDS", "soon")
    with runledger.run("couriers", url=NOWHERE) as run:
        until(lambda: not keepers(), 30, "the courier to give up")
    assert "courier.log says why" in caplog.text
    assert "RUNLEDGER_LEASE_SECONDS" in (online.journals / run.id / "courier.log").read_text()
