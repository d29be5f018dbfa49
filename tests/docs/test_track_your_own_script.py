"""Every snippet of the page runs as it stands; what needs a tracker is in `tests/system`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import runledger
from runledger.tracker.journal import Ended
from tests.api.tracking.conftest import Runs, runs

__all__ = ["runs"]
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "track-your-own-script.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def run(script: str, runs: Runs, **environment: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{script}"],
        cwd=runs.folder,
        env={**runs.environment, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def quick(script: str) -> str:
    return script.replace("time.sleep(0.05)", "pass")


def outcomes(runs: Runs) -> list[str]:
    ends = [runs.records(attempt)[-1] for attempt in runs.attempts()]
    return [each.outcome for each in ends if isinstance(each, Ended)]


@pytest.mark.parametrize("index", range(len(blocks("python")) - 1))
def test_a_script_of_the_page_runs(index: int, runs: Runs) -> None:
    (runs.folder / "snippet.py").write_text(quick(blocks("python")[index]))
    run(f"{sys.executable} snippet.py", runs)
    assert outcomes(runs) == ["completed"]


def test_the_trainer_of_the_page_goes_on_from_the_runs_checkpoint(runs: Runs) -> None:
    """torch is not here: a stand-in takes the trainer's place, and the callback is the real one."""
    asked: dict[str, Any] = {}

    class Trainer:
        def __init__(self, *arguments: object, callbacks: list[object], **more: object) -> None:
            asked["callbacks"] = callbacks

        def train(self, resume_from_checkpoint: Path | None) -> None:
            asked["resume"] = resume_from_checkpoint

    names = {"runledger": runledger, "Trainer": Trainer, "model": 0, "arguments": 0, "dataset": 0}
    exec(blocks("python")[-1], names)
    assert isinstance(asked["callbacks"][0], runledger.TransformersCallback)
    assert asked["resume"] is None
    assert outcomes(runs) == ["completed"]


def test_the_job_of_a_cluster_is_one_run_however_often_it_is_queued(runs: Runs) -> None:
    (script,) = blocks("bash")
    (runs.folder / "train.py").write_text(
        quick(blocks("python")[0].replace("while step < 200", "while 1 / 0"))
    )
    job = {"SLURM_CLUSTER_NAME": "c", "SLURM_JOB_ID": "17", "HOME": str(runs.folder)}
    path = f"{Path(sys.executable).parent}:{runs.environment['PATH']}"
    for _ in range(2):
        with pytest.raises(AssertionError, match="ZeroDivisionError"):
            run(script, runs, PATH=path, **job)

    assert outcomes(runs) == ["failed", "failed"]
    assert len({attempt.path.parent for attempt in runs.attempts()}) == 1
