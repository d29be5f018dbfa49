"""What may be asked of a run. Each command may be refused; what it repeats gives no events.

Commands with an `attempt` come from whoever executes it (or, for `LoseAttempt`, watches over it) and
are refused once another attempt has taken over.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from runledger.tracker.events.base import Covers, ForkPoint, Score
from runledger.tracker.events.run import FailureReason, RunEnvironmentRecorded
from runledger.tracker.ids import Digest, RunId
from runledger.tracker.spec import DeviceRequest, Limits, RunSpec, Scalar


class RunCommand(msgspec.Struct, frozen=True, kw_only=True):
    run_id: RunId


class AttemptCommand(RunCommand, frozen=True, kw_only=True):
    attempt: int


class RequestRun(RunCommand, frozen=True, kw_only=True):
    experiment_id: str
    name: str
    spec: RunSpec
    tags: dict[str, str] = {}
    priority: int = 0
    limits: Limits = Limits()
    device: DeviceRequest = DeviceRequest()
    worker_labels: dict[str, str] = {}
    forked_from: ForkPoint | None = None
    external: bool = False
    requested_by: str


class SavedState(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint as whoever went on from it knows it."""

    step: int
    digest: Digest


class StartAttempt(AttemptCommand, frozen=True, kw_only=True):
    """The claim. Where it goes on from is the run's decision; that it starts from nothing may be asked for.

    A run executed elsewhere that has failed or is paused goes on with the start of its next attempt. What
    that went on from is a fact by then, and has to be a checkpoint on the run's line, deleted or not.
    """

    worker: str
    epoch: int
    resume: bool = True
    resumed_from: SavedState | None = None


class ReturnAttempt(AttemptCommand, frozen=True, kw_only=True):
    """An attempt executed elsewhere was thought lost, and its worker holds the lease again."""

    worker: str
    epoch: int


class RecordEnvironment(AttemptCommand, frozen=True, kw_only=True):
    """What the attempt runs in. Whether a resume is exact is decided by comparing it with what was."""

    versions: dict[str, str]
    devices: tuple[str, ...]
    flags: dict[str, str] = {}
    seed: int | None = None
    code_revision: str | None = None
    code_diff_digest: Digest | None = None
    lock_digest: Digest | None = None
    dataset_digest: Digest | None = None
    forked_from: RunEnvironmentRecorded | None = None
    """Of the attempt of the other run that saved what a fork begins from; None where nobody knows it."""


class RecordParams(AttemptCommand, frozen=True, kw_only=True):
    """Params known only after the start. What is recorded already with the same value is passed over."""

    params: dict[str, Scalar]


class RecordCheckpoint(AttemptCommand, frozen=True, kw_only=True):
    step: int
    digest: Digest
    size_bytes: int
    loss: float | None = None
    covers: Covers


class DeleteCheckpoint(RunCommand, frozen=True, kw_only=True):
    """`attempt` is the one that saved the checkpoint, whichever is current."""

    attempt: int
    step: int
    policy: str


class RecordArtifact(AttemptCommand, frozen=True, kw_only=True):
    path: str
    digest: Digest
    size_bytes: int
    media_type: str = "application/octet-stream"


class RecordEvaluation(RunCommand, frozen=True, kw_only=True):
    """The result of an evaluation of the checkpoint that `attempt` saved at `step`, also after the end."""

    attempt: int
    step: int
    benchmark_id: str
    evaluation_id: str
    scores: tuple[Score, ...]


class RequestCancellation(RunCommand, frozen=True, kw_only=True):
    """Cancels at once what is not executing, else asks the attempt to stop at a step boundary."""

    reason: str = ""


class ConfirmCancellation(AttemptCommand, frozen=True, kw_only=True):
    """The attempt has stopped for the cancellation, at `step` where that is known."""

    step: int | None = None


class ConfirmStop(AttemptCommand, frozen=True, kw_only=True):
    """The attempt has stopped for whichever of the two was asked of it, at `step` where that is known."""

    step: int | None = None


class RequestPause(RunCommand, frozen=True, kw_only=True):
    """Pauses at once what is not executing, else asks the attempt to stop at a step boundary."""

    reason: str = ""


class ConfirmPause(AttemptCommand, frozen=True, kw_only=True):
    """The attempt has stopped for the pause, at `step` where that is known."""

    step: int | None = None


class ResumeRun(RunCommand, frozen=True, kw_only=True):
    """Back into the queue, as a new attempt. Not of a run executed elsewhere: it is in no queue of ours."""

    reason: str = ""


class LoseAttempt(AttemptCommand, frozen=True, kw_only=True):
    """The lease has expired. A new attempt follows while `limits.attempts` allows it.

    A run executed elsewhere fails instead: nobody here can execute it, and the lost attempt may return.
    """

    last_heartbeat_at: datetime | None = None
    message: str = ""
    """How its process has ended, where its own worker tells that."""
    last_lines: tuple[str, ...] = ()
    replaced: bool = False
    """The executor of a run executed elsewhere is back already and begins the next attempt."""


class PreemptAttempt(AttemptCommand, frozen=True, kw_only=True):
    """The machine is taken away. A new attempt follows, and none is counted.

    A run executed elsewhere fails instead, until its executor starts the next attempt.
    """

    signal: str
    step: int | None = None


class RetryRun(RunCommand, frozen=True, kw_only=True):
    """A failed run once more, with a fresh allowance of attempts. Not of a run executed elsewhere."""


class CompleteRun(AttemptCommand, frozen=True, kw_only=True):
    step: int | None = None
    metrics: dict[str, float] = {}


class FailRun(RunCommand, frozen=True, kw_only=True):
    """`attempt` is None for a run that fails while it waits for a worker."""

    attempt: int | None = None
    reason: FailureReason
    error_class: str = ""
    message: str = ""
    last_lines: tuple[str, ...] = ()


class RenameRun(RunCommand, frozen=True, kw_only=True):
    name: str


class TagRun(RunCommand, frozen=True, kw_only=True):
    added: dict[str, str] = {}
    removed: tuple[str, ...] = ()


class NoteRun(RunCommand, frozen=True, kw_only=True):
    note: str


class HideRun(RunCommand, frozen=True, kw_only=True):
    reason: str = ""


class ShowRun(RunCommand, frozen=True, kw_only=True):
    reason: str = ""


Command = (
    RequestRun
    | StartAttempt
    | ReturnAttempt
    | RecordEnvironment
    | RecordParams
    | RecordCheckpoint
    | DeleteCheckpoint
    | RecordArtifact
    | RecordEvaluation
    | RequestCancellation
    | ConfirmCancellation
    | RequestPause
    | ConfirmPause
    | ConfirmStop
    | ResumeRun
    | LoseAttempt
    | PreemptAttempt
    | RetryRun
    | CompleteRun
    | FailRun
    | RenameRun
    | TagRun
    | NoteRun
    | HideRun
    | ShowRun
)
