"""What `runledger.run` and its run raise. Never because of the tracker: that is only ever warned of.

TrackingError
├── Misused                 a call that does not fit; nothing of it was written
├── RunBusy                 another process trains this run now
├── RunOver                 the run has ended for good and cannot go on
├── CheckpointUnavailable   the state to go on from cannot be had
└── DamagedFile             a small file beside a journal is not as it was written; never raised to a training
"""

from __future__ import annotations

from pathlib import Path


class TrackingError(Exception):
    """Base of all errors of a run in one's own process."""


class Misused(TrackingError, ValueError):
    """A call does not fit. It says which value, and nothing of the call was written."""


class RunBusy(TrackingError):
    """Another process trains this run now, or another `run` of this process."""

    def __init__(self, run_id: str, lock: Path) -> None:
        super().__init__(f"run {run_id} is trained by another process, which holds {lock}")
        self.run_id = run_id
        self.lock = lock


class RunOver(TrackingError):
    """The run has completed or was cancelled: a new training is a new run."""

    def __init__(self, run_id: str, outcome: str) -> None:
        super().__init__(f"run {run_id} is {outcome} and cannot go on; a new training is a new run")
        self.run_id = run_id
        self.outcome = outcome


class CheckpointUnavailable(TrackingError):
    """The run has a checkpoint to go on from, and its bytes can be had neither here nor from the tracker."""

    def __init__(self, run_id: str, step: int, problem: str) -> None:
        super().__init__(
            f"run {run_id} has a checkpoint of step {step} that cannot be had: {problem}. "
            "Try again later, or begin from nothing with resume=False"
        )
        self.run_id = run_id
        self.step = step
        self.problem = problem


class DamagedFile(TrackingError):
    """A small file beside a journal cannot be read as what it is: its disk, or somebody, has changed it."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem
