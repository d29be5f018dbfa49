"""A program is started whatever forks meanwhile."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import os, subprocess, sys, threading
from runledger.tracker.programs import start_program

reading, writing = os.pipe()
is_starting, is_free = threading.Event(), threading.Event()
begin = subprocess._fork_exec

def slowly(*arguments):
    is_starting.set()
    is_free.wait(0.5)  # the pipe is there, and what a fork makes now has it too
    return begin(*arguments)

subprocess._fork_exec = slowly
started = []
thread = threading.Thread(target=lambda: started.append(start_program([sys.executable, "-c", ""])))
thread.start()
assert is_starting.wait(30)
if (child := os.fork()) == 0:
    os.read(reading, 1)
    os._exit(0)
is_free.set()
thread.join(10)
print(thread.is_alive(), flush=True)
os.write(writing, b"x")
os.waitpid(child, 0)
thread.join()
started[0].wait()
"""


def test_a_fork_in_the_middle_of_a_start_waits_for_it() -> None:
    """Otherwise the child would hold on to the pipe that the start waits for, and live on."""
    words = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "False\n", done.stderr
