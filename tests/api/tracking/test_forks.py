"""Forked children, such as the workers of a data loader: they record nothing and disturb nothing."""

from __future__ import annotations

import signal

from tests.api.tracking.conftest import Runs


def test_workers_of_a_forked_pool_neither_log_nor_end_the_run(runs: Runs) -> None:
    answer = runs.run(
        """
import multiprocessing

def load(index):
    run.log({"from a worker": index}, step=index)
    run.params(worker=index)
    assert not run.should_stop()
    return index * 2

run = runledger.run("forks")
run.log({"loss": 0.5}, step=1)
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(load, range(20), chunksize=1) == [2 * index for index in range(20)]
run.log({"loss": 0.4}, step=2)
"""
    )

    assert answer.returncode == 0, answer.stderr
    assert 1 <= answer.stderr.count("a forked child records nothing") <= 2
    assert runs.points() == [(1, {"loss": 0.5}), (2, {"loss": 0.4})]
    ended = runs.ended()
    assert ended is not None
    assert ended.outcome == "completed"


def test_a_child_that_leaves_by_every_door_ends_nothing(runs: Runs) -> None:
    answer = runs.run(
        """
import signal

def child(leave):
    with runledger.run("forks", name=leave.__name__) as run:
        child = os.fork()
        if child == 0:
            leave(run)
            return True
        _, status = os.waitpid(child, 0)
        print(leave.__name__, os.waitstatus_to_exitcode(status), flush=True)
        run.log({"loss": 0.4}, step=2)
    return False

def returns(run):
    pass

def exits(run):
    sys.exit(3)

def raises(run):
    raise ValueError

def terminated(run):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)

for leave in (exits, terminated):
    child(leave)
try:
    child(raises)
except ValueError:
    os._exit(4)
if child(returns):
    os._exit(5)
"""
    )

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == [
        "exits", "3", "terminated", str(-signal.SIGTERM), "raises", "4", "returns", "5"
    ]  # fmt: skip
    assert [runs.records(attempt)[-1].outcome for attempt in runs.attempts()] == ["completed"] * 4  # type: ignore[union-attr]


def test_a_child_neither_keeps_nor_releases_its_parents_lock(runs: Runs) -> None:
    answer = runs.run(
        """
from runledger.api.tracking.folders import is_locked

run = runledger.run("forks")
lock = run._begun.folder.lock
reading, writing = os.pipe()
if (child := os.fork()) == 0:
    os.read(reading, 1)
    os._exit(0)
assert is_locked(lock)
run.end()
assert not is_locked(lock)
os.write(writing, b"x")
os.waitpid(child, 0)

run = runledger.run("forks")
lock = run._begun.folder.lock
if (child := os.fork()) == 0:
    os._exit(0)
os.waitpid(child, 0)
assert is_locked(lock)
"""
    )
    assert answer.returncode == 0, answer.stderr


def test_a_fork_while_other_threads_log_and_save_does_not_hang(runs: Runs) -> None:
    answer = runs.run(
        """
import threading

run = runledger.run("forks", capture_output=True)
is_over = threading.Event()

def log():
    step = 0
    while not is_over.is_set():
        step += 1
        run.log({"loss": step}, step=step)
        run.write("line")

def save():
    step = 0
    while not is_over.is_set():
        step += 1
        run.checkpoint(__file__, step=step)

threads = [threading.Thread(target=log), threading.Thread(target=save)]
for thread in threads:
    thread.start()
for _ in range(30):
    if (child := os.fork()) == 0:
        print("from" + "-a-child")
        run.log({"no": 1}, step=1)
        run.checkpoint(__file__, step=10**9)
        run.end()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
is_over.set()
for thread in threads:
    thread.join()
run.end()
"""
    )
    assert answer.returncode == 0, answer.stderr
    assert {key for _, values in runs.points() for key in values} == {"loss"}
    assert "from-a-child" not in runs.attempts()[0].output.read_text()
    ended = runs.ended()
    assert ended is not None
    assert ended.outcome == "completed"


def test_a_child_may_begin_a_run_of_its_own(runs: Runs) -> None:
    answer = runs.run(
        """
with runledger.run("forks", name="parent"):
    if (child := os.fork()) == 0:
        run = runledger.run("forks", name="child")
        run.log({"loss": 1}, step=1)
        raise KeyError("of the child")
    os.waitpid(child, 0)
"""
    )
    assert answer.returncode == 0, answer.stderr
    names = {
        attempt.path.parent: runs.records(attempt)[-1].outcome  # type: ignore[union-attr]
        for attempt in runs.attempts()
    }
    assert sorted(names.values()) == ["completed", "failed"]


def test_a_child_waits_for_no_import_of_a_thread_that_it_does_not_have(runs: Runs) -> None:
    """It is forked as soon as may be, and finds out what it executes on as its parent does."""
    answer = runs.run(
        """
loaded = set()
for name in ("first", "second"):
    run = runledger.run("forks", name=name)
    if (child := os.fork()) == 0:
        with runledger.run("forks", name=f"child of the {name}") as run:
            run.log({"loss": 1}, step=1)
        os._exit(0)
    loaded |= set(sys.modules)
    assert os.waitpid(child, 0)[1] == 0
    run.end()
print(*set(sys.modules) - loaded)
"""
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "\n"
    told = [type(record).__name__ for attempt in runs.attempts() for record in runs.records(attempt)]
    assert told.count("Environment") == told.count("Ended") == 4
