"""The script of the how-to as it stands: killed, cut off, stopped, paused, and one run in the end."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runledger.api.answers import Run
from runledger.api.client import Client
from runledger.api.tracking.folders import RunFolder, run_folders
from runledger.tracker.journal import Points, Reader
from tests.system.conftest import Install, MlflowServer
from tests.system.installation import Installation, cmdline, runledger, until
from tests.system.mirror import mirrored_points, mlflow_client, points_of, wait_for_mirror

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("own-script"),
]

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "track-your-own-script.md"
EVERY = 20
"""The script keeps a checkpoint after so many steps."""
LAST_STEP = 200
Curve = list[tuple[int, float]]


class OwnScript:
    """`train.py` in a folder of its own, with its journals in it, as its owner starts it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        folder.mkdir()
        self.folder = folder
        self.environment = {**environment, "RUNLEDGER_FLUSH_SECONDS": "1"}
        found = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        assert found is not None
        (folder / "train.py").write_text(found[1])
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "train.py"], cwd=self.folder, env=self.environment, stderr=said
            )

    def finish(self) -> None:
        assert self.process is not None
        assert self.process.wait(timeout=120) == 0, (self.folder / "said").read_text()

    def end(self, signum: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(signum)
        assert self.process.wait(timeout=60) == -signum

    def couriers(self) -> list[psutil.Process]:
        journals = str(self.folder / ".runledger" / "journals")
        return [
            process
            for process in psutil.process_iter()
            if "runledger.api.courier" in (words := cmdline(process)) and words[-1].startswith(journals)
        ]

    def run_folder(self) -> RunFolder:
        (found,) = until(lambda: run_folders(self.folder / ".runledger" / "journals"), 30, "the run's folder")
        return found

    @property
    def run_id(self) -> str:
        found = re.search(r"run ([0-9a-f]{32}) of", (self.folder / "said").read_text())
        assert found is not None
        return found[1]

    def is_between_checkpoints(self) -> bool:
        """Its journal ends some steps after a checkpoint that is not the first, and well before the next."""
        step = last_step(self.run_folder())
        return step > 2 * EVERY and EVERY * 0.4 <= step % EVERY <= EVERY * 0.7

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for courier in self.couriers():
            courier.kill()


def last_step(folder: RunFolder) -> int:
    steps = [0]
    for attempt in folder.attempts()[-1:]:
        reader = Reader(attempt.journal)
        while entries := reader.read():
            steps += [each.record.step for each in entries if isinstance(each.record, Points)]
    return steps[-1]


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, mlflow_server_of_all: MlflowServer
) -> Iterator[Installation]:
    made = Installation(
        tmp_path_factory.mktemp("own") / "data", {"RUNLEDGER_MLFLOW_URL": mlflow_server_of_all.url}
    )
    yield made.wait_until_up()
    made.close()


@pytest.fixture(scope="module")
def twin(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Curve]:
    """The curves of the script when it is left in peace."""
    script = OwnScript(tmp_path_factory.mktemp("twin") / "folder", installation.environment)
    script.start()
    script.finish()
    run = installation.client.wait(script.run_id, timeout_seconds=60)
    script.close()
    assert [attempt.ending for attempt in run.attempts] == ["completed"]
    curves = curves_of(installation.client, run)
    assert [step for step, _ in curves["loss"]] == list(range(1, LAST_STEP + 1))
    return curves


@pytest.fixture
def script(installation: Installation, tmp_path: Path) -> Iterator[OwnScript]:
    made = OwnScript(tmp_path / "own", installation.environment)
    yield made
    made.close()


def curves_of(ledger: Client, run: Run) -> dict[str, Curve]:
    """Every effective point, each step once and in order."""
    found: dict[str, Curve] = {}
    for summary in ledger.metrics(run.run_id):
        series = ledger.series(run.run_id, summary.key, max_points=100_000)
        assert series.step == sorted(set(series.step))
        found[summary.key] = [
            (step, float(value)) for step, value in zip(series.step, series.value, strict=True)
        ]
    return found


def test_a_script_killed_and_then_cut_off_is_one_run_with_one_true_curve(
    twin: dict[str, Curve],
    installation: Installation,
    tmp_path: Path,
    install: Install,
    mlflow_server_of_all: MlflowServer,
) -> None:
    first = install({"RUNLEDGER_MLFLOW_URL": mlflow_server_of_all.url})
    script = OwnScript(tmp_path / "own", first.environment)
    script.start()
    until(script.is_between_checkpoints, 60, "points after a checkpoint", every=0.01)
    script.end(signal.SIGKILL)
    lost = until(lambda: ended(first.client, script.run_id), 60, "the courier to tell of the kill")
    assert (lost.status, lost.failure and lost.failure.reason) == ("failed", "worker-lost")

    script.start()
    until(lambda: last_step(script.run_folder()) > LAST_STEP / 2, 60, "the second half")
    first.close()
    script.finish()
    until(lambda: not script.couriers(), 60, "the courier to give up")
    assert "runledger sync" in (script.folder / "said").read_text()

    second = Installation(first.data, {"RUNLEDGER_MLFLOW_URL": mlflow_server_of_all.url})
    try:
        second.wait_until_up()
        assert sync(script, second) == 0
        run = second.client.wait(script.run_id, timeout_seconds=60)
        assert_one_true_curve(second.client, run, twin)
        assert_in_mlflow(second.client, run, mlflow_server_of_all)
        assert sync(script, second) == 0
        assert second.client.run(run.run_id).version == run.version, "a second sync has told something"
        assert [each.run_id for each in second.client.runs()] == [run.run_id]
    finally:
        second.close()
        script.close()


def test_a_script_killed_with_its_courier_is_lost_with_its_lease_and_goes_on_later(
    twin: dict[str, Curve], installation: Installation, script: OwnScript
) -> None:
    script.start()
    until(script.is_between_checkpoints, 60, "points after a checkpoint", every=0.01)
    (courier,) = script.couriers()
    script.end(signal.SIGKILL)
    courier.kill()

    ledger = installation.client
    lost = until(lambda: ended(ledger, script.run_id), 60, "the lease to expire")
    assert (lost.status, lost.failure and lost.failure.reason) == ("failed", "worker-lost")

    script.start()
    script.finish()
    run = until(lambda: completed(ledger, script.run_id), 60, "the run to complete")
    assert_one_true_curve(ledger, run, twin)


def test_a_script_that_is_terminated_is_preempted_and_goes_on(
    twin: dict[str, Curve], installation: Installation, script: OwnScript
) -> None:
    script.start()
    until(script.is_between_checkpoints, 60, "points after a checkpoint", every=0.01)
    script.end(signal.SIGTERM)
    ledger = installation.client
    run = until(lambda: ended(ledger, script.run_id), 60, "the end to be told")
    assert [attempt.ending for attempt in run.attempts] == ["preempted"]

    script.start()
    script.finish()
    run = until(lambda: completed(ledger, script.run_id), 60, "the run to complete")
    assert curves_of(ledger, run) == twin


def test_a_script_is_paused_from_the_tracker_and_goes_on(
    twin: dict[str, Curve], installation: Installation, script: OwnScript
) -> None:
    ledger = installation.client
    script.start()
    until(script.is_between_checkpoints, 60, "points after a checkpoint", every=0.01)
    until(lambda: ledger.checkpoints(script.run_id), 60, "the tracker to know of it")
    ledger.pause(script.run_id)
    script.finish()
    until(lambda: ledger.run(script.run_id).status == "paused", 60, "the pause to be confirmed")

    script.start()
    script.finish()
    run = until(lambda: completed(ledger, script.run_id), 60, "the run to complete")
    assert [attempt.ending for attempt in run.attempts] == ["paused", "completed"]
    assert curves_of(ledger, run) == twin


def test_a_job_queued_again_on_another_node_fetches_its_checkpoint_from_the_tracker(
    installation: Installation, tmp_path: Path
) -> None:
    named = {**installation.environment, "RUNLEDGER_RUN_ID": uuid.uuid4().hex}
    here, there = OwnScript(tmp_path / "here", named), OwnScript(tmp_path / "there", named)
    try:
        here.start()
        until(here.is_between_checkpoints, 60, "points after a checkpoint", every=0.01)
        here.end(signal.SIGKILL)
        until(lambda: ended(installation.client, here.run_id), 60, "the courier to tell of the kill")

        there.start()
        there.finish()
        run = until(lambda: completed(installation.client, here.run_id), 60, "the run to complete")
    finally:
        here.close()
        there.close()

    assert there.run_id == here.run_id == run.run_id
    assert [attempt.ending for attempt in run.attempts] == ["lost", "completed"]
    assert run.attempts[1].resumed_from is not None
    curves = curves_of(installation.client, run)
    assert [step for step, _ in curves["loss"]] == list(range(1, LAST_STEP + 1))


ENDS = {
    "pass": ("completed", None),
    "sys.exit(0)": ("completed", None),
    "sys.exit(3)": ("failed", "SystemExit"),
    "raise ValueError('boom')": ("failed", "ValueError"),
    "raise KeyboardInterrupt": ("cancelled", None),
}
ENDING = """
import pathlib, sys
import runledger

with runledger.run("ends", params={"seed": 3}, capture_output=True) as run:
    run.params(layers=4)
    print("hello")
    run.log({"loss": float("nan")}, step=1)
    pathlib.Path("plot.png").write_text("png")
    run.artifact("plot.png")
"""


def test_however_a_script_ends_the_tracker_is_told_all_of_it(
    installation: Installation, tmp_path: Path
) -> None:
    scripts = {
        way: OwnScript(tmp_path / str(number), installation.environment) for number, way in enumerate(ENDS)
    }
    try:
        for way, script in scripts.items():
            (script.folder / "train.py").write_text(f"{ENDING}    {way}\n")
            script.start()
        for way, script in scripts.items():
            assert script.process is not None
            script.process.wait(timeout=60)
            run = installation.client.wait(script.run_id, timeout_seconds=60)
            assert (run.status, run.failure and run.failure.error_class) == ENDS[way]
            assert_all_told(installation.client, run)
    finally:
        for script in scripts.values():
            script.close()


def assert_all_told(ledger: Client, run: Run) -> None:
    now = ledger.health().position
    assert run.params == {"seed": 3, "layers": 4}
    (loss,) = ledger.metrics(run.run_id, after=now)
    assert (loss.key, loss.points, loss.non_finite) == ("loss", 1, 1)
    assert [each.path for each in ledger.artifacts(run.run_id, after=now)] == ["plot.png"]
    assert ledger.logs(run.run_id).startswith(b"hello\n")
    assert run.attempts[0].environment is not None
    assert run.attempts[0].environment.seed == 3
    if run.failure is not None:
        assert run.failure.last_lines[0] == "Traceback (most recent call last):"


def ended(ledger: Client, run_id: str) -> Run | None:
    run = ledger.run(run_id)
    return run if run.is_ended else None


def completed(ledger: Client, run_id: str) -> Run | None:
    run = ledger.run(run_id)
    return run if run.status == "completed" else None


def sync(script: OwnScript, installation: Installation) -> int:
    journals = str(script.folder / ".runledger" / "journals")
    done = runledger("sync", journals, environment={**installation.environment, "COLUMNS": "200"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.returncode


def assert_one_true_curve(ledger: Client, run: Run, twin: dict[str, Curve]) -> None:
    """Two attempts, the curves of the undisturbed twin, and the first one's tail beside them."""
    assert run.status == "completed"
    assert [attempt.ending for attempt in run.attempts] == ["lost", "completed"]
    assert curves_of(ledger, run) == twin
    origin = run.attempts[1].resumed_from
    assert origin is not None
    tail = ledger.series(run.run_id, "loss", max_points=100_000, superseded=True)
    assert set(tail.attempt) == {1}
    assert tail.step == list(range(origin.step + 1, origin.step + 1 + tail.points))


def assert_in_mlflow(ledger: Client, run: Run, server: MlflowServer) -> None:
    theirs = mlflow_client(server.url)
    mirror = wait_for_mirror(theirs, run)
    assert mirror.data.params == {key: str(value) for key, value in run.params.items()}
    for summary in ledger.metrics(run.run_id):
        assert points_of(ledger, run, summary.key) == mirrored_points(theirs, mirror, summary.key)
