"""The courier as a process: killed in the middle, outliving its training, one at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from runledger.api.tracking.folders import Lock
from runledger.tracker.ids import telemetry_stream
from runledger.tracker.journal import Mark
from tests.api.courier.journals import WrittenRun, point
from tests.api.courier.tracker import Tracker
from tests.system.installation import clean_environment, until

pytestmark = pytest.mark.system

BATCHES = 240
POINTS = 20


@contextmanager
def courier(run: WrittenRun, url: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child of this process, which is thereby the training."""
    with run.folder.courier_log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "runledger.api.courier", str(run.folder.path)],
            env=environment(url, **settings),
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def environment(url: str, **settings: str) -> dict[str, str]:
    given = {f"RUNLEDGER_{name.upper()}": value for name, value in settings.items()}
    return {**clean_environment(), "RUNLEDGER_URL": url, **given}


def said(run: WrittenRun) -> str:
    return run.folder.courier_log.read_text() if run.folder.courier_log.exists() else ""


def test_a_courier_that_is_killed_again_and_again_loses_and_doubles_nothing(
    tracker_on_each: Tracker, journals: Path
) -> None:
    run = WrittenRun(journals)
    attempt = run.attempt(pid=os.getpid())
    for mark in range(1, BATCHES + 1):
        first = (mark - 1) * POINTS + 1
        attempt.write(*(point(step) for step in range(first, first + POINTS)), Mark(number=mark))
        if mark % 60 == 0:
            attempt.checkpoint(mark * POINTS, mark=mark)
            attempt.artifact(f"plot-{mark}.txt", b"plot %d" % mark)
    attempt.print(b"line\n" * 120_000)
    stream = telemetry_stream(run.run_id, 1)
    log = tracker_on_each.world.log
    for target in (1, 40, 41, 120, 200):
        with courier(run, tracker_on_each.url) as process:
            until(
                lambda process=process, target=target: log.version(stream) >= target or process.poll(),
                60,
                said(run),
                every=0.001,
            )
            assert process.poll() is None, said(run)
            process.send_signal(signal.SIGKILL)
            process.wait(30)
    attempt.end("failed", error_class="ValueError")
    with courier(run, tracker_on_each.url) as process:
        assert process.wait(60) == 0, said(run)
    check_whole(tracker_on_each, run)


def check_whole(tracker: Tracker, run: WrittenRun) -> None:
    world = tracker.world
    assert [step for _, step, _ in world.curve(run.run_id)] == list(range(1, BATCHES * POINTS + 1))
    assert world.output(run.run_id) == "line\n" * 120_000
    assert world.tags(run.run_id) == [
        "RunRequested",
        "RunStarted",
        *["RunCheckpointed", "RunArtifactRecorded"] * 4,
        "RunFailed",
    ]
    saved = world.run(run.run_id).checkpoints
    covered = [len(world.points(run.run_id, 1, each.covers)) for each in saved]
    assert covered == [60 * POINTS, 120 * POINTS, 180 * POINTS, 240 * POINTS]
    batches = [each for each in world.telemetry(run.run_id, 1) if each.type == "MetricsRecorded"]
    assert len(batches) == BATCHES


TRAINING = """\
import os, pathlib, subprocess, sys, time
folder = sys.argv[1]
file = pathlib.Path(folder) / "1" / "attempt.json"
file.write_text(file.read_text().replace('"pid":4194304', f'"pid":{os.getpid()}'))
with open(os.path.join(folder, "courier.log"), "ab") as log:
    subprocess.Popen(
        [sys.executable, "-P", "-m", "runledger.api.courier", folder],
        start_new_session=True, stdout=log, stderr=log
    )
while True:
    time.sleep(60)
"""


@contextmanager
def training(run: WrittenRun, url: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has started its courier and will be killed."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", TRAINING, str(run.folder.path)],
        env=environment(url, **settings),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)
        for left in psutil.process_iter(["cmdline"]):
            if str(run.folder.path) in (left.info["cmdline"] or []):
                left.kill()


def test_the_courier_tells_at_once_that_its_training_was_killed(tracker: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt()
    attempt.steps(1, 3, mark=1)
    with training(run, tracker.url) as process:
        until(lambda: len(tracker.world.points(run.run_id, 1)) == 3, 60, said(run))
        attempt.write(point(4))
        attempt.print(b"last words")
        process.send_signal(signal.SIGKILL)
        until(lambda: tracker.world.tags(run.run_id)[-1] == "RunFailed", 10, said(run))
    assert [step for _, step, _ in tracker.world.curve(run.run_id)] == [1, 2, 3, 4]
    assert tracker.world.output(run.run_id) == "last words"


def test_a_courier_whose_tracker_stays_away_leaves_the_rest_to_sync(run: WrittenRun) -> None:
    run.attempt().steps(1, 3, mark=1)
    with training(run, "http://127.0.0.1:1", flush_seconds="0.5") as process:
        until(lambda: run.folder.attempts()[0].read_control().state == "offline", 60, said(run))
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        until(lambda: "`runledger sync` ships the rest" in said(run), 30, said(run))
    lock = Lock(run.folder.courier_lock)
    until(lock.acquire, 10, "the courier's end")
    lock.release()


def test_a_second_courier_waits_for_the_first(tracker: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt(pid=os.getpid())
    first = Lock(run.folder.courier_lock)
    assert first.acquire()
    with courier(run, tracker.url) as process:
        until(lambda: "another courier ships" in said(run), 30, said(run))
        assert tracker.world.tags(run.run_id) == []
        first.release()
        attempt.end()
        assert process.wait(60) == 0
    assert tracker.world.tags(run.run_id)[-1] == "RunCompleted"


def test_a_training_that_has_become_another_one_is_over(tracker: Tracker, run: WrittenRun) -> None:
    """It has executed itself once more: its process is the same, and its attempt the next."""
    run.attempt(pid=os.getpid()).steps(1, 3, mark=1)
    with courier(run, tracker.url) as first:
        until(lambda: len(tracker.world.points(run.run_id, 1)) == 3, 60, said(run))
        run.attempt(pid=os.getpid(), resume=False)
        assert first.wait(30) == 0, said(run)
    assert tracker.world.tags(run.run_id)[-2:] == ["RunAttemptLost", "RunRetried"]


def test_a_bad_setting_is_named(run: WrittenRun) -> None:
    run.attempt()
    with courier(run, "nowhere") as process:
        assert process.wait(30) == 2
    assert "'nowhere' is no http:// or https:// address" in said(run)


def test_a_run_that_cannot_be_read_is_named_and_not_tried_again(run: WrittenRun) -> None:
    run.attempt()
    run.folder.file.write_text("{")
    with courier(run, "http://127.0.0.1:1") as process:
        assert process.wait(30) == 2
    assert str(run.folder.file) in said(run)


def test_what_another_courier_had_begun_to_remove_is_removed(tracker: Tracker, run: WrittenRun) -> None:
    """It was killed on the way."""
    left = WrittenRun(run.folder.path.parent)
    hidden = left.folder.path.rename(left.folder.path.with_name(f".{left.run_id}"))
    run.attempt().end()
    with courier(run, tracker.url) as process:
        assert process.wait(60) == 0, said(run)
    assert not hidden.exists()


def test_it_loads_nothing_that_only_servers_need() -> None:
    code = "import sys, runledger.api.courier.__main__; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    heavy = {"litestar", "sqlalchemy", "jax", "numpy", "fsspec", "httpx", "asyncio", "click", "rich"}
    assert heavy.isdisjoint(done.stdout.split())
