"""The attempt's process as its supervisor handles it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from runledger.tracker.journal import Ended, Reader
from runledger.trainer.attempt.job import Folder, Job
from runledger.trainer.child import Child, environment
from runledger.trainer.child import start as start_child
from runledger.trainer.errors import FolderInUse
from runledger.trainer.folders import hold
from tests.trainer.world import ROOT, TOY

Start = Callable[..., tuple[Child, Folder]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    children: list[Child] = []

    def start(**values: Any) -> tuple[Child, Folder]:
        folder = Folder(tmp_path / f"{'5f' * 16}-{len(children) + 1}")
        environ = environment({**os.environ, "PYTHONPATH": str(ROOT)}, cache=tmp_path)
        with hold(folder) as lock:
            folder.write_job(Job(run_id="5f" * 16, attempt=1, reference=TOY, values=values))
            children.append(start_child(folder, environ, lock))
        return children[-1], folder

    yield start
    for child in children:
        child.kill()
        wait(child)


def wait(child: Child) -> int:
    deadline = time.monotonic() + 30
    while (status := child.poll()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return status


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_child_has_started_ends_with_it(start: Start) -> None:
    child, folder = start(steps=3, fault="child", fault_at=2)
    assert wait(child) == 0
    pid = int((folder.path / "sleeping").read_text())
    until(lambda: not is_running(pid))


def test_a_killed_child_tells_the_signal(start: Start) -> None:
    child, folder = start(fault="deaf", fault_at=1)
    until(folder.journal.exists)
    child.kill()
    assert wait(child) == -signal.SIGKILL


def test_a_terminated_child_still_says_that_it_stopped(start: Start) -> None:
    child, folder = start(fault="deaf", fault_at=2)
    until(lambda: folder.output.exists() and "step 1 " in folder.output.read_text())
    child.terminate()
    assert wait(child) == 0
    last = Reader(folder.journal).read()[-1].record
    assert isinstance(last, Ended)
    assert (last.outcome, last.step) == ("stopped", 1)


def test_to_ask_one_that_has_ended_is_harmless(start: Start) -> None:
    child, _ = start(steps=1)
    assert wait(child) == 0
    child.ask_to_stop()
    child.terminate()
    assert child.poll() == 0


def test_a_folder_is_in_use_for_as_long_as_its_child_lives(start: Start) -> None:
    child, folder = start(fault="deaf", fault_at=1)
    with pytest.raises(FolderInUse), hold(folder):
        pass
    child.kill()
    wait(child)
    with hold(folder):
        pass


def test_a_child_is_told_what_to_record_of_its_code_and_no_address() -> None:
    worker = {"RUNLEDGER_CODE_DIFF": "0", "RUNLEDGER_LEDGER_URL": "postgresql://…", "HOME": "/home"}
    handed = environment(worker, cache=Path("/cache"))
    assert handed["RUNLEDGER_CODE_DIFF"] == "0"
    assert handed["HOME"] == "/home"
    assert "RUNLEDGER_LEDGER_URL" not in handed
