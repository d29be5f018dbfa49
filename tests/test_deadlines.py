"""A session of the tests ends, whatever its tests do, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest

from tests.conftest import PostgresqlDatabases, connect_postgresql, missing

ROOT = Path(__file__).parents[1]
BOUND_SECONDS = 120
CONFTEST = """
from tests import deadlines

deadlines.GRACE_SECONDS = deadlines.END_SECONDS = 2
deadlines.LEFT_SECONDS = 0.1

def pytest_configure(config):
    config.pluginmanager.register(deadlines.Deadlines(config))
"""
STUCK_IN_C = """
import ctypes

def test_stuck():
    c, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(64)  # calls that keep Python's lock
    c.pthread_mutex_lock(mutex)
    c.pthread_mutex_lock(mutex)
"""
STUCK_AFTERWARDS = """
import pytest, time

@pytest.fixture(scope="session")
def server():
    yield
    time.sleep(1_000)

def test_stuck(server):
    time.sleep(1_000)
"""
A_THREAD_LEFT = """
import threading

def test_fine():
    threading.Thread(target=threading.Event().wait).start()
"""
A_PROCESS_LEFT = """
import subprocess, sys

def test_fine():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1_000)"], stdout=2)
"""


def run_session(folder: Path, test: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Returns once nobody has its output open any more."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(textwrap.dedent(test))
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\ntimeout = 1\n")
    plugins = ["-p", "pytest_timeout", "-p", "xdist.plugin", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-s", *options, str(folder)],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=BOUND_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("test", [STUCK_IN_C, STUCK_AFTERWARDS])
def test_a_test_that_no_timeout_ends_is_ended_and_shown(tmp_path: Path, test: str) -> None:
    done = run_session(tmp_path, test)
    assert done.returncode == 1
    assert "Timeout (0:00:03)!" in done.stderr and "test_it.py" in done.stderr


def test_the_other_workers_go_on_and_the_session_fails(tmp_path: Path) -> None:
    done = run_session(tmp_path, STUCK_IN_C + "\ndef test_fine(): pass\n", "-n", "1")
    assert done.returncode == 1
    assert "crashed while running" in done.stdout and "1 failed, 1 passed" in done.stdout


def test_a_thread_that_goes_on_does_not_keep_the_process(tmp_path: Path) -> None:
    done = run_session(tmp_path, A_THREAD_LEFT)
    assert "1 passed" in done.stdout
    assert done.returncode == 1 and "Timeout (0:00:02)!" in done.stderr


def test_processes_that_are_left_are_named_and_ended(tmp_path: Path) -> None:
    done = run_session(tmp_path, A_PROCESS_LEFT)
    assert done.returncode == 0 and "1 passed" in done.stdout
    assert "left behind, and ended" in done.stderr and "time.sleep(1_000)" in done.stderr


def connection() -> psycopg.Connection:
    try:
        return connect_postgresql(autocommit=True)
    except psycopg.OperationalError as problem:
        missing(f"PostgreSQL: {problem}")
        raise


def test_databases_of_the_dead_are_swept_and_those_of_the_living_are_not() -> None:
    with connection() as of_dead, connection() as of_living, connection() as own:
        dead, living, sweeper = map(PostgresqlDatabases, (of_dead, of_living, own))
        names = [databases.empty().rpartition("/")[2] for databases in (dead, living)]
        of_dead.close()
        sweeper.sweep()
        found = own.execute("SELECT datname FROM pg_database WHERE datname = ANY(%s)", [names]).fetchall()
        living.drop_all()
    assert found == [(names[1],)]
