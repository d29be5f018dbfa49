"""Every way in which a script may end, and what is told of it."""

from __future__ import annotations

import signal

import pytest

from tests.api.tracking.conftest import Runs

WITH = """
with runledger.run("ends") as run:
    run.log({"loss": 0.5}, step=3)
    """
OPEN = """
run = runledger.run("ends")
run.log({"loss": 0.5}, step=3)
"""


@pytest.mark.parametrize(
    ("script", "outcome", "status"),
    [
        (WITH + "pass", "completed", 0),
        (WITH + "sys.exit()", "completed", 0),
        (WITH + "raise SystemExit(0)", "completed", 0),
        (WITH + "sys.exit(3)", "failed", 3),
        (WITH + "raise KeyError('x')", "failed", 1),
        (WITH + "raise KeyboardInterrupt", "cancelled", -signal.SIGINT),
        (WITH + "run.end('failed', message='no good')", "failed", 0),
        (OPEN, "completed", 0),
        (OPEN + "run.end()", "completed", 0),
        (OPEN + "run.end('cancelled')", "cancelled", 0),
        (OPEN + "sys.exit(3)", "failed", 3),
        (OPEN + "exit(3)", "failed", 3),
        (OPEN + "quit()", "completed", 0),
        (OPEN + "raise KeyError('x')", "failed", 1),
    ],
)
def test_a_script_ends_as_it_does_and_the_truth_is_told(
    runs: Runs, script: str, outcome: str, status: int
) -> None:
    answer = runs.run(script)

    assert answer.returncode == status, answer.stderr
    ended = runs.ended()
    assert ended is not None
    assert (ended.outcome, ended.step) == (outcome, 3)


def test_ctrl_c_that_nobody_catches_is_a_cancellation(runs: Runs) -> None:
    """The status is Python's own affair: an import at the exit makes it 1."""
    assert runs.run(OPEN + "raise KeyboardInterrupt").returncode != 0
    ended = runs.ended()
    assert ended is not None
    assert ended.outcome == "cancelled"


def test_an_exception_is_told_with_its_class_its_message_and_its_last_lines(runs: Runs) -> None:
    runs.run(WITH + "raise ValueError('the loss is 10 times too high')")

    ended = runs.ended()
    assert ended is not None
    assert (ended.reason, ended.error_class) == ("error", "ValueError")
    assert ended.message == "the loss is 10 times too high"
    assert ended.last_lines[-1] == "ValueError: the loss is 10 times too high"
    assert "Traceback" in runs.attempts()[-1].output.read_text()


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        ("MemoryError()", "out-of-memory"),
        ("RuntimeError('CUDA out of memory. Tried to allocate 2 GiB')", "out-of-memory"),
        ("RuntimeError('RESOURCE_EXHAUSTED: Out of memory')", "out-of-memory"),
        ("FloatingPointError('nan')", "diverged"),
    ],
)
def test_the_reason_of_a_failure_is_found_out(runs: Runs, raised: str, reason: str) -> None:
    runs.run(WITH + f"raise {raised}")
    ended = runs.ended()
    assert ended is not None
    assert ended.reason == reason


def test_what_sys_exit_says_is_the_message(runs: Runs) -> None:
    runs.run(WITH + "sys.exit('no data')")
    ended = runs.ended()
    assert ended is not None
    assert (ended.outcome, ended.error_class, ended.message) == ("failed", "SystemExit", "no data")


def test_an_exception_that_cannot_even_say_what_it_is_is_a_failure(runs: Runs) -> None:
    script = """
class Odd(Exception):
    def __str__(self):
        raise RuntimeError
"""
    runs.run(script + WITH + "raise Odd")
    ended = runs.ended()
    assert ended is not None
    assert (ended.outcome, ended.error_class) == ("failed", "Odd")


def test_sigterm_is_a_preemption_and_still_ends_the_process_as_it_would(runs: Runs) -> None:
    answer = runs.interrupt(WITH + "ready()", signal.SIGTERM)

    assert answer.returncode == -signal.SIGTERM
    ended = runs.ended()
    assert ended is not None
    assert (ended.outcome, ended.step) == ("preempted", 3)


def test_sigterm_in_the_middle_of_an_end_waits_for_it(runs: Runs) -> None:
    slow = """
from runledger.api.tracking.open_attempt import OpenAttempt
end = OpenAttempt.end
def slowly(attempt, ended):
    pathlib.Path("ready").touch()
    until = time.monotonic() + 1
    while time.monotonic() < until:
        time.sleep(0.01)
    end(attempt, ended)
OpenAttempt.end = slowly
"""
    answer = runs.interrupt(slow + WITH + "pass", signal.SIGTERM)

    assert answer.returncode == -signal.SIGTERM
    ended = runs.ended()
    assert ended is not None
    assert ended.outcome == "completed"


def test_sigterm_that_the_script_handles_itself_stays_its_own(runs: Runs) -> None:
    handled = """
import signal
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
"""
    answer = runs.interrupt(handled + WITH + "ready()", signal.SIGTERM)

    assert answer.returncode == 7
    ended = runs.ended()
    assert ended is not None
    assert (ended.outcome, ended.message) == ("failed", "status 7")


def test_ctrl_c_is_a_cancellation(runs: Runs) -> None:
    runs.interrupt(WITH + "ready()", signal.SIGINT)
    ended = runs.ended()
    assert ended is not None
    assert ended.outcome == "cancelled"


@pytest.mark.parametrize("script", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_what_cannot_be_seen_from_within_tells_no_end(runs: Runs, script: str) -> None:
    runs.run(WITH + "run.checkpoint(__file__, step=3)\n    " + script)
    assert runs.ended() is None
    assert runs.points() == [(3, {"loss": 0.5})]


def test_a_caught_exit_of_a_thread_is_not_the_process(runs: Runs) -> None:
    runs.run(
        OPEN
        + """
import threading
thread = threading.Thread(target=sys.exit, args=(3,))
thread.start()
thread.join()
"""
    )
    ended = runs.ended()
    assert ended is not None
    assert ended.outcome == "completed"


def test_two_runs_in_one_process_end_apart(runs: Runs) -> None:
    runs.run(
        """
outer = runledger.run("ends", name="outer")
with runledger.run("ends", name="inner") as inner:
    outer.log({"a": 1}, step=1)
    inner.log({"b": 2}, step=2)
outer.log({"a": 3}, step=3)
raise ValueError
"""
    )
    found = {}
    for attempt in runs.attempts():
        records = runs.records(attempt)
        found[records[-1].outcome] = [  # type: ignore[union-attr]
            record.step
            for record in records
            if type(record).__name__ == "Points"  # type: ignore[union-attr]
        ]
    assert found == {"failed": [1, 3], "completed": [2]}


def test_hooks_that_others_put_around_ours_still_work_when_the_next_run_begins(runs: Runs) -> None:
    answer = runs.run(
        """
first = runledger.run("ends", name="first")
ours, our_exit = sys.excepthook, sys.exit
sys.excepthook = lambda *error: (print("theirs", flush=True), ours(*error))
sys.exit = lambda code: our_exit(code)
first.end()
second = runledger.run("ends", name="second")
raise ValueError
"""
    )
    assert answer.stdout == "theirs\n"
    assert answer.stderr.count("Traceback") == 1
    ended = runs.ended()
    assert ended is not None
    assert ended.error_class == "ValueError"


def test_of_an_endless_message_and_line_only_the_beginning_is_kept(runs: Runs) -> None:
    runs.run("with runledger.run('adding') as run: raise ValueError('x' * 10_000_000)")
    ended = runs.ended()
    assert ended is not None
    assert len(ended.message) == 2_000
    assert sum(map(len, ended.last_lines)) < 50_000
    assert any("xxxx" in line for line in ended.last_lines)
