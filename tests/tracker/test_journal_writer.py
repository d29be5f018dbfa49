"""The writing side of a journal under strain: threads, signals, forks, bad records, a full disk."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runledger.tracker import journal_frames, journal_writer
from runledger.tracker.errors import BadInput, JournalBroken
from runledger.tracker.events.telemetry import MAX_POINTS
from runledger.tracker.journal import Ended, Mark, Opened, Points, Progress
from runledger.tracker.journal_writer import Journal
from tests.tracker.test_journal import RUN, batches_of, records_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path, RUN, 1)
    yield journal
    journal.close()


def test_steps_and_values_may_be_scalars_of_an_array_library(journal: Journal, path: Path) -> None:
    journal.points(np.int64(3), 0, {"loss": np.float32(0.5), "count": np.int32(2)})
    journal.sync()
    assert records_of(path)[1:] == [Points(step=3, time=0, values={"loss": 0.5, "count": 2.0})]


@pytest.mark.parametrize(
    ("step", "values"),
    [(1.0, {"loss": 1.0}), (1, {"a\udc80": 1.0}), (1, {"loss": "low"}), (2**63, {"loss": 1.0})],
)
def test_a_bad_point_is_refused_where_it_is_logged(
    journal: Journal, path: Path, step: Any, values: Any
) -> None:
    with pytest.raises(BadInput):
        journal.points(step, 0, values)

    journal.points(2, 0, {"loss": 1.0})
    journal.sync()
    assert records_of(path)[1:] == [Points(step=2, time=0, values={"loss": 1.0})]


def test_a_record_that_cannot_be_encoded_is_refused_and_the_next_is_written(
    journal: Journal, path: Path
) -> None:
    with pytest.raises(TypeError):
        journal.append(Progress(phase="training", done=object()))  # type: ignore[arg-type]

    journal.append(Progress(phase="training", done=1))
    journal.sync()
    assert records_of(path)[1:] == [Progress(phase="training", done=1)]


def test_a_record_too_large_for_any_reader_is_refused_and_the_next_is_written(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_writer, "MAX_RECORD_BYTES", 100)
    with pytest.raises(BadInput, match="Ended"):
        journal.append(Ended(outcome="failed", message="x" * 200))

    journal.append(Progress(phase="training", done=1))
    journal.sync()
    assert records_of(path)[1:] == [Progress(phase="training", done=1)]


def test_a_step_of_many_names_measures_each_of_them_a_few_times_only(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []

    def measure(key: str) -> int:
        measured.append(key)
        return key_bytes(key)

    key_bytes = journal_frames._key_bytes
    monkeypatch.setattr(journal_frames, "_key_bytes", measure)
    names = [f"key {number}" for number in range(20_000)]
    journal.points(1, 0, dict.fromkeys(names, 1.0))
    journal.cut()
    journal.sync()

    assert [key for batch in batches_of(path) for points in batch for key in points.values] == names
    assert len(measured) <= 3 * len(names)


def test_a_cut_counts_what_was_logged_before_it_and_nothing_after(journal: Journal, path: Path) -> None:
    for step in range(30):
        journal.points(step, 0, {"loss": 1.0})
        assert journal.cut() == step + 1
    journal.sync()
    assert [[points.step for points in batch] for batch in batches_of(path)] == [[n] for n in range(30)]


def test_what_is_logged_reaches_the_file_without_being_asked_for(journal: Journal, path: Path) -> None:
    journal.points(7, 0, {"loss": 1.0})
    deadline = time.monotonic() + 10
    while Points(step=7, time=0, values={"loss": 1.0}) not in records_of(path):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_points_of_several_threads_are_all_there_each_in_its_order(journal: Journal, path: Path) -> None:
    def log(name: str) -> None:
        for step in range(300):
            journal.points(step, 0, {f"{name}/{key}": 0.0 for key in range(10)})
            if step % 50 == 0:
                journal.cut()

    threads = [threading.Thread(target=log, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.cut()
    journal.sync()

    batches = batches_of(path)
    assert max(sum(len(points.values) for points in batch) for batch in batches) <= MAX_POINTS
    for name in "abcd":
        logged = [
            (key, points.step)
            for batch in batches
            for points in batch
            for key in points.values
            if key.startswith(name)
        ]
        assert logged == [(f"{name}/{key}", step) for step in range(300) for key in range(10)]
    marks = [record.number for record in records_of(path) if isinstance(record, Mark)]
    assert marks == list(range(1, len(marks) + 1))


# Alone in a process: a tracer of the test's own has locks that its handler would wait for.
INTERRUPTED = """
import signal, sys, time
from pathlib import Path
from runledger.tracker.journal import Progress
from runledger.tracker.journal_writer import Journal

journal = Journal(Path(sys.argv[1]), "5f" * 16, 1)
told = []

def tell(number, frame):
    told.append(len(told))
    journal.append(Progress(phase="interrupted", done=told[-1]))
    journal.sync()
    signal.setitimer(signal.ITIMER_REAL, 0.002)  # one at a time, however long a sync takes

signal.signal(signal.SIGALRM, tell)
signal.setitimer(signal.ITIMER_REAL, 0.002)
while len(told) < 100:
    journal.points(len(told), 0, {f"k{key}": 0.0 for key in range(20)})
signal.setitimer(signal.ITIMER_REAL, 0)
journal.close()
print(len(told))
"""


def test_a_signal_handler_may_write_into_whatever_it_has_interrupted(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", INTERRUPTED, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    written = [record.done for record in records_of(path) if isinstance(record, Progress)]
    assert sorted(written) == list(range(int(done.stdout)))


CUT_IN_A_CUT = """
import signal, sys
from pathlib import Path
from runledger.tracker.journal_writer import Journal

journal = Journal(Path(sys.argv[1]), "5f" * 16, 1)
cuts = []

def cut(number, frame):
    journal.points(len(cuts), 0, {"handler": 0.0})
    cuts.append(journal.cut())
    signal.setitimer(signal.ITIMER_REAL, 0.0005)

signal.signal(signal.SIGALRM, cut)
signal.setitimer(signal.ITIMER_REAL, 0.0005)
while len(cuts) < 200:
    journal.points(len(cuts), 0, {f"k{key}": 0.0 for key in range(20)})
    journal.cut()
signal.setitimer(signal.ITIMER_REAL, 0)
journal.close()
print(len(cuts))
"""


def test_a_signal_handler_may_cut_what_is_just_being_cut(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", CUT_IN_A_CUT, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    marks = [record.number for record in records_of(path) if isinstance(record, Mark)]
    assert marks == list(range(1, len(marks) + 1))
    told = [points.step for batch in batches_of(path) for points in batch if "handler" in points.values]
    assert told == list(range(int(done.stdout)))


def test_whoever_waits_for_a_journal_that_another_thread_closes_is_let_go(path: Path) -> None:
    journal = Journal(path, RUN, 1)
    ended: list[str] = []

    def log_for_ever() -> None:
        try:
            while True:
                journal.points(1, 0, {"loss": 1.0})
                journal.sync()
        except JournalBroken as problem:
            ended.append(problem.problem)

    threads = [threading.Thread(target=log_for_ever) for _ in range(4)]
    for thread in threads:
        thread.start()
    journal.close()
    for thread in threads:
        thread.join(30)
    assert ended == ["closed"] * 4


FORK = """
import os, sys
from pathlib import Path
from runledger.tracker.errors import JournalBroken
from runledger.tracker.journal_writer import Journal

journal = Journal(Path(sys.argv[1]), "5f" * 16, 1)
child = os.fork()
if child == 0:
    for call in (lambda: journal.points(1, 0, {"a": 1.0}), journal.cut, journal.sync, journal.close):
        try:
            call()
        except JournalBroken as problem:
            assert "fork" in str(problem)
        else:
            os._exit(1)
    os._exit(7)
journal.points(2, 0, {"a": 2.0})
journal.close()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_fork_writes_nothing_and_waits_for_nothing(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "7"
    assert records_of(path) == [
        Opened(run_id=RUN, attempt=1),
        Points(step=2, time=0, values={"a": 2.0}),
        Mark(number=1),
    ]


def test_a_closed_journal_takes_nothing_more(path: Path) -> None:
    journal = Journal(path, RUN, 1)
    journal.close()
    journal.close()

    with pytest.raises(JournalBroken, match="closed"):
        journal.points(1, 0, {"loss": 1.0})
    with pytest.raises(JournalBroken, match="closed"):
        journal.append(Ended(outcome="completed"))
    with pytest.raises(JournalBroken, match="closed"):
        journal.sync()
    assert records_of(path) == [Opened(run_id=RUN, attempt=1)]


def test_a_disk_that_refuses_at_the_end_is_told_by_the_close(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path, RUN, 1)
    journal.sync()

    def refuse(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)  # a disk that fills up just now cannot be had otherwise
    journal.points(1, 0, {"loss": 1.0})
    with pytest.raises(JournalBroken, match="No space left"):
        journal.close()
