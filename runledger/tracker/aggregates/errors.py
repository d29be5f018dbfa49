"""Why a command is refused: the leaves of `tracker.errors.Refused`, each with the rule that it broke.

Refused
├── RunRefused
│   ├── RunAlreadyRequested, RunAlreadyEnded, RunNotFailed, RunIsAnother
│   ├── RunIsExternal, RunNotExternal
│   ├── RunIsPaused, RunNotPaused, PauseNotRequested
│   ├── RunIsCancelling, CancellationNotRequested, StopNotRequested
│   ├── AttemptNotStarted, AttemptAlreadyStarted, AttemptNotCurrent, AttemptNotLost
│   ├── EnvironmentAlreadyRecorded, ParamAlreadyRecorded
│   ├── CheckpointStepNotGrowing, CheckpointNotRecorded, LastCheckpointOfLiveRun
│   ├── CheckpointNotOnLine, CheckpointNotKept
│   └── EvaluationAlreadyRecorded
├── ExperimentAlreadyCreated, ExperimentIsArchived
├── DatasetAlreadyRegistered
├── BenchmarkAlreadyDefined, BaselineAlreadyPromoted, BaselineNotPromoted
└── EvaluationRefused
    ├── EvaluationAlreadyRequested, EvaluationAlreadyEnded, EvaluationNotCompleted
    └── EvaluationNotStarted, EvaluationAlreadyStarted, EvaluationAttemptNotCurrent
"""

from __future__ import annotations

from runledger.tracker.errors import Refused


class RunRefused(Refused):
    """A command that the run's state does not allow."""

    def __init__(self, run_id: str, problem: str) -> None:
        super().__init__(f"run {run_id}: {problem}")
        self.run_id = run_id


class RunAlreadyRequested(RunRefused):
    """A run with this id exists, and was requested differently."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, "was requested already, with other contents")


class RunAlreadyEnded(RunRefused):
    """The run is completed, failed or cancelled; that does not change any more."""

    def __init__(self, run_id: str, status: str) -> None:
        super().__init__(run_id, f"is {status} already")
        self.status = status


class RunIsAnother(RunRefused):
    """Whoever executes it means a run of another experiment, or with other params."""

    def __init__(self, run_id: str, problem: str) -> None:
        super().__init__(run_id, f"is another one here: {problem}")


class RunNotFailed(RunRefused):
    """Only a failed run can be retried."""

    def __init__(self, run_id: str, status: str) -> None:
        super().__init__(run_id, f"only a failed run can be retried, this one is {status}")
        self.status = status


class RunIsExternal(RunRefused):
    """A run executed elsewhere goes on when its own executor starts it again, never from our queue."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, "is executed elsewhere: it goes on when its script is started again")


class RunNotExternal(RunRefused):
    """Only of a run executed elsewhere are attempts started and told over REST."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, "is executed by the workers, not elsewhere")


class RunIsPaused(RunRefused):
    """A paused run is resumed before anything is executed."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, "is paused: resume it first")


class RunNotPaused(RunRefused):
    """Only a paused run can be resumed."""

    def __init__(self, run_id: str, status: str) -> None:
        super().__init__(run_id, f"only a paused run can be resumed, this one is {status}")
        self.status = status


class PauseNotRequested(RunRefused):
    """An attempt stopped for a pause that nobody asked for."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, "no pause was requested")


class RunIsCancelling(RunRefused):
    """A run that is being cancelled cannot be paused."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, "is being cancelled")


class CancellationNotRequested(RunRefused):
    """An attempt stopped for a cancellation that nobody asked for."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, "no cancellation was requested")


class StopNotRequested(RunRefused):
    """An attempt stopped as if it had been asked to, and nobody asked."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, "neither a cancellation nor a pause was requested")


class AttemptNotStarted(RunRefused):
    """The attempt is waiting for a worker; only an executing attempt has something to report."""

    def __init__(self, run_id: str, attempt: int) -> None:
        super().__init__(run_id, f"attempt {attempt} has not started")
        self.attempt = attempt


class AttemptAlreadyStarted(RunRefused):
    """Another worker executes this attempt."""

    def __init__(self, run_id: str, attempt: int, worker: str) -> None:
        super().__init__(run_id, f"attempt {attempt} was started already by {worker}")
        self.attempt = attempt
        self.worker = worker


class AttemptNotCurrent(RunRefused):
    """The attempt is not the one whose turn it is: an old one decides nothing."""

    def __init__(self, run_id: str, attempt: int | None, current: int) -> None:
        super().__init__(run_id, f"attempt {attempt} is not the current one, {current} is")
        self.attempt = attempt
        self.current = current


class AttemptNotLost(RunRefused):
    """Only an attempt that was thought lost can return."""

    def __init__(self, run_id: str, attempt: int, outcome: str) -> None:
        super().__init__(run_id, f"attempt {attempt} was not lost, it is {outcome}")
        self.attempt = attempt
        self.outcome = outcome


class EnvironmentAlreadyRecorded(RunRefused):
    """An attempt has one environment."""

    def __init__(self, run_id: str, attempt: int) -> None:
        super().__init__(run_id, f"attempt {attempt} has recorded another environment already")
        self.attempt = attempt


class ParamAlreadyRecorded(RunRefused):
    """A param once recorded never changes."""

    def __init__(self, run_id: str, key: str) -> None:
        super().__init__(run_id, f"param {key!r} is recorded already with another value")
        self.key = key


class CheckpointStepNotGrowing(RunRefused):
    """A checkpoint lies further on than the one before it."""

    def __init__(self, run_id: str, step: int, last: int) -> None:
        super().__init__(run_id, f"a checkpoint at step {step} cannot follow the one at step {last}")
        self.step = step
        self.last = last


class CheckpointNotRecorded(RunRefused):
    """The run has no checkpoint of that attempt at that step."""

    def __init__(self, run_id: str, attempt: int, step: int) -> None:
        super().__init__(run_id, f"no checkpoint of attempt {attempt} at step {step} is recorded")
        self.attempt = attempt
        self.step = step


class CheckpointNotOnLine(RunRefused):
    """An attempt went on from what the run as it stands did not come to: another one began before it."""

    def __init__(self, run_id: str, step: int) -> None:
        super().__init__(run_id, f"as it stands did not come to the checkpoint of step {step} gone on from")
        self.step = step


class CheckpointNotKept(RunRefused):
    """A fork begins from a checkpoint, and the run has none, none at that step, or has deleted it."""

    def __init__(self, run_id: str, step: int | None) -> None:
        super().__init__(run_id, "has no checkpoint" + ("" if step is None else f" at step {step}"))
        self.step = step


class LastCheckpointOfLiveRun(RunRefused):
    """The next attempt would start from this checkpoint, so it stays until the run has ended."""

    def __init__(self, run_id: str, step: int) -> None:
        super().__init__(run_id, f"the checkpoint at step {step} is where the next attempt starts from")
        self.step = step


class EvaluationAlreadyRecorded(RunRefused):
    """An evaluation has one result."""

    def __init__(self, run_id: str, evaluation_id: str) -> None:
        super().__init__(run_id, f"evaluation {evaluation_id} is recorded already with another result")
        self.evaluation_id = evaluation_id


class ExperimentAlreadyCreated(Refused):
    """An experiment with this id exists, and was created differently."""

    def __init__(self, experiment_id: str) -> None:
        super().__init__(f"experiment {experiment_id} was created already, with other contents")
        self.experiment_id = experiment_id


class ExperimentIsArchived(Refused):
    """An archived experiment is restored before it changes or takes runs."""

    def __init__(self, experiment_id: str) -> None:
        super().__init__(f"experiment {experiment_id} is archived: restore it first")
        self.experiment_id = experiment_id


class DatasetAlreadyRegistered(Refused):
    """The same bytes are registered already in another format."""

    def __init__(self, digest: str, format: str) -> None:
        super().__init__(f"dataset {digest} is registered already, as {format}")
        self.digest = digest
        self.format = format


class BenchmarkAlreadyDefined(Refused):
    """A benchmark with this id exists, and was defined differently: its definition never changes."""

    def __init__(self, benchmark_id: str) -> None:
        super().__init__(f"benchmark {benchmark_id} was defined already, with other contents")
        self.benchmark_id = benchmark_id


class BaselineAlreadyPromoted(Refused):
    """The evaluation is the baseline already, or another one is than the command names as the previous."""

    def __init__(self, benchmark_id: str, baseline: str | None) -> None:
        super().__init__(f"benchmark {benchmark_id}: the baseline is {baseline or 'none'}")
        self.benchmark_id = benchmark_id
        self.baseline = baseline


class BaselineNotPromoted(Refused):
    """Only the evaluation that is the baseline can be withdrawn as such."""

    def __init__(self, benchmark_id: str, evaluation_id: str) -> None:
        super().__init__(f"benchmark {benchmark_id}: evaluation {evaluation_id} is not the baseline")
        self.benchmark_id = benchmark_id
        self.evaluation_id = evaluation_id


class EvaluationRefused(Refused):
    """A command that the evaluation's state does not allow."""

    def __init__(self, evaluation_id: str, problem: str) -> None:
        super().__init__(f"evaluation {evaluation_id}: {problem}")
        self.evaluation_id = evaluation_id


class EvaluationAlreadyRequested(EvaluationRefused):
    """An evaluation with this id exists, of something else."""

    def __init__(self, evaluation_id: str) -> None:
        super().__init__(evaluation_id, "was requested already, of something else")


class EvaluationAlreadyEnded(EvaluationRefused):
    """The evaluation is completed or failed; that does not change any more."""

    def __init__(self, evaluation_id: str, status: str) -> None:
        super().__init__(evaluation_id, f"is {status} already")
        self.status = status


class EvaluationNotCompleted(EvaluationRefused):
    """Only a completed evaluation can be superseded by another."""

    def __init__(self, evaluation_id: str, status: str) -> None:
        super().__init__(evaluation_id, f"is {status}, not completed")
        self.status = status


class EvaluationNotStarted(EvaluationRefused):
    """The evaluation is waiting for a worker."""

    def __init__(self, evaluation_id: str) -> None:
        super().__init__(evaluation_id, "has not started")


class EvaluationAlreadyStarted(EvaluationRefused):
    """Another worker executes this attempt."""

    def __init__(self, evaluation_id: str, attempt: int, worker: str) -> None:
        super().__init__(evaluation_id, f"attempt {attempt} was started already by {worker}")
        self.attempt = attempt
        self.worker = worker


class EvaluationAttemptNotCurrent(EvaluationRefused):
    """The attempt is not the one whose turn it is."""

    def __init__(self, evaluation_id: str, attempt: int, current: int) -> None:
        super().__init__(evaluation_id, f"attempt {attempt} is not the current one, {current} is")
        self.attempt = attempt
        self.current = current
