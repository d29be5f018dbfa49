from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from runledger.api.cli.exits import SetupProblem
from runledger.api.cli.processes import Program, Supervisor

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " print('up', flush=True); time.sleep(600)"
)
PARENT = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    " print('up', flush=True); time.sleep(600)"
)


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def family() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


class Nursery:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.supervisors: list[Supervisor] = []

    def __call__(self, **scripts: str) -> Supervisor:
        programs = [self.program(name, script) for name, script in scripts.items()]
        self.supervisors.append(Supervisor(programs, self.folder))
        return self.supervisors[-1]

    def program(self, name: str, script: str) -> Program:
        log = self.folder / f"{name}.log"
        return Program(
            name=name,
            command=(sys.executable, "-c", script),
            is_ready=lambda: "up" in log.read_text(),
            stop_seconds=1,
        )


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path)
    yield nursery
    for supervisor in nursery.supervisors:
        supervisor.kill()


def start(supervisor: Supervisor) -> list[str]:
    ready: list[str] = []
    supervisor.start(threading.Event(), 30, ready.append)
    return ready


def test_all_are_ready_when_start_returns(supervise: Nursery) -> None:
    assert sorted(start(supervise(one=SLEEPER, two=SLEEPER))) == ["one", "two"]


def test_what_dies_is_started_again(supervise: Nursery) -> None:
    supervisor = supervise(one=SLEEPER)
    start(supervisor)
    stop = threading.Event()
    keeper = threading.Thread(target=supervisor.run, args=(stop,))
    keeper.start()

    next(child for child in family() if child.cmdline()[-1] == SLEEPER and not child.children()).kill()

    until(lambda: supervisor.processes[0].starts == 2)
    stop.set()
    keeper.join()


def test_a_stop_leaves_no_process_behind(supervise: Nursery) -> None:
    supervisor = supervise(one=PARENT, two=SLEEPER)
    start(supervisor)
    started = family()

    supervisor.stop()

    assert len(started) >= 5
    until(lambda: all(is_gone(process) for process in started))


def test_what_ignores_sigterm_is_killed(supervise: Nursery) -> None:
    supervisor = supervise(one=STUBBORN)
    start(supervisor)
    started = family()

    supervisor.stop()

    until(lambda: all(is_gone(process) for process in started))


def test_a_process_that_dies_at_once_stops_the_start_with_its_last_words(supervise: Nursery) -> None:
    supervisor = supervise(one="raise SystemExit('no such database')")

    with pytest.raises(SetupProblem, match=r"one ends again and again(.|\n)*no such database"):
        start(supervisor)


def test_a_process_that_says_nothing_is_not_ready_before_it_has_lived(supervise: Nursery) -> None:
    supervisor = supervise(one="raise SystemExit('a bad setting')", two=SLEEPER)
    silent = supervisor.processes[0]
    silent.program = msgspec.structs.replace(silent.program, is_ready=None)

    with pytest.raises(SetupProblem, match=r"one ends again and again(.|\n)*a bad setting"):
        start(supervisor)


def test_a_process_that_is_never_ready_stops_the_start(supervise: Nursery) -> None:
    supervisor = supervise(one="import time; time.sleep(600)")

    with pytest.raises(SetupProblem, match="one is not ready after 1 s"):
        supervisor.start(threading.Event(), 1, lambda name: None)


@pytest.mark.parametrize("script", [SLEEPER, PARENT, STUBBORN])
def test_a_killed_supervisor_leaves_no_orphan(tmp_path: Path, script: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path), script], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "started\n"
    started = psutil.Process(holder.pid).children(recursive=True)

    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()

    assert len(started) >= 2
    until(lambda: all(is_gone(process) for process in started))


_HOLDER = """
import sys, threading
from pathlib import Path
from runledger.api.cli.processes import Program, Supervisor
folder = Path(sys.argv[1])
program = Program(name="one", command=(sys.executable, "-c", sys.argv[2]), stop_seconds=1,
                  is_ready=lambda: "up" in (folder / "one.log").read_text())
supervisor = Supervisor([program], folder)
supervisor.start(threading.Event(), 30, lambda name: None)
print("started", flush=True)
supervisor.run(threading.Event())
"""
