"""What an attempt records while it executes, and what becomes of its checkpoints."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal, assert_never

from runledger.tracker.aggregates import errors
from runledger.tracker.aggregates.facts import is_same
from runledger.tracker.aggregates.run.checks import check_executing
from runledger.tracker.aggregates.run.commands import (
    DeleteCheckpoint,
    RecordArtifact,
    RecordCheckpoint,
    RecordEnvironment,
    RecordEvaluation,
    RecordParams,
)
from runledger.tracker.aggregates.run.state import Run
from runledger.tracker.aggregates.texts import check_keys
from runledger.tracker.errors import BadInput
from runledger.tracker.events.run import (
    RunArtifactRecorded,
    RunCheckpointDeleted,
    RunCheckpointed,
    RunEnvironmentRecorded,
    RunEvaluated,
    RunEvent,
    RunParamsRecorded,
)
from runledger.tracker.spec import Scalar

Events = tuple[RunEvent, ...]


RecordCommand = RecordEnvironment | RecordParams | RecordCheckpoint | RecordArtifact


def record(run: Run, command: RecordCommand) -> Events:
    match command:
        case RecordEnvironment():
            return _record_environment(run, command)
        case RecordParams():
            return _record_params(run, command)
        case RecordCheckpoint():
            return _record_checkpoint(run, command)
        case RecordArtifact():
            return _record_artifact(run, command)
        case _:
            assert_never(command)


_COMPARED = (
    "versions",
    "devices",
    "flags",
    "seed",
    "code_revision",
    "code_diff_digest",
    "lock_digest",
    "dataset_digest",
)


def _record_environment(run: Run, command: RecordEnvironment) -> Events:
    check_executing(run, command)
    resume, changed = _compare(run, command)
    recorded = RunEnvironmentRecorded(
        attempt=command.attempt,
        versions=command.versions,
        devices=command.devices,
        flags=command.flags,
        seed=command.seed,
        code_revision=command.code_revision,
        code_diff_digest=command.code_diff_digest,
        lock_digest=command.lock_digest,
        dataset_digest=command.dataset_digest,
        resume=resume,
        changed=changed,
    )
    before = run.attempts[-1].environment
    if before is not None and not is_same(before, recorded):
        raise errors.EnvironmentAlreadyRecorded(command.run_id, command.attempt)
    return (recorded,) if before is None else ()


def _compare(
    run: Run, command: RecordEnvironment
) -> tuple[Literal["exact", "changed"] | None, tuple[str, ...]]:
    """Against the environment of the attempt that saved the checkpoint from which this one goes on.

    A fork goes on from another run's, until it has a checkpoint of its own; what it asks for otherwise
    than that run has changed, too.
    """
    point, fork = run.attempts[-1].resumed_from, run.requested.forked_from
    if point is not None:
        saved_by = run.started(point.attempt)
        changed = _differing(None if saved_by is None else saved_by.environment, command)
    elif fork is not None:
        changed = (*_differing(command.forked_from, command), *(fork.changed or ()))
    else:
        return None, ()
    return ("changed", changed) if changed else ("exact", ())


def _differing(before: RunEnvironmentRecorded | None, command: RecordEnvironment) -> tuple[str, ...]:
    """All of it where nobody knows what was."""
    if before is None:
        return _COMPARED
    return tuple(name for name in _COMPARED if getattr(before, name) != getattr(command, name))


def _record_params(run: Run, command: RecordParams) -> Events:
    check_executing(run, command)
    check_keys(command.params, "$.params")
    for key, value in command.params.items():
        if key in run.params and not _is_same(run.params[key], value):
            raise errors.ParamAlreadyRecorded(command.run_id, key)
    fresh = {key: value for key, value in command.params.items() if key not in run.params}
    return (RunParamsRecorded(params=fresh),) if fresh else ()


def _is_same(left: Scalar, right: Scalar) -> bool:
    """Of one type and value: 1, 1.0 and true are three values, and NaN is itself."""
    return type(left) is type(right) and (left == right or (left != left and right != right))


def _record_checkpoint(run: Run, command: RecordCheckpoint) -> Events:
    saved = run.checkpoint(command.attempt, command.step)
    if saved is not None and saved.digest == command.digest:
        return ()
    check_executing(run, command)
    if command.step < 0 or command.size_bytes < 0:
        raise BadInput("$.step" if command.step < 0 else "$.size_bytes", "must not be negative")
    last = run.last_checkpoint
    # A new attempt may save at the very step from which it went on, as when it is stopped at once.
    if last is not None and (
        command.step < last.step or (command.step == last.step and last.attempt == command.attempt)
    ):
        raise errors.CheckpointStepNotGrowing(command.run_id, command.step, last.step)
    return (
        RunCheckpointed(
            attempt=command.attempt,
            step=command.step,
            digest=command.digest,
            size_bytes=command.size_bytes,
            loss=command.loss,
            covers=command.covers,
        ),
    )


def _record_artifact(run: Run, command: RecordArtifact) -> Events:
    if (command.attempt, command.path, command.digest) in run.artifacts:
        return ()
    check_executing(run, command)
    _check_path(command.path)
    return (
        RunArtifactRecorded(
            attempt=command.attempt,
            path=command.path,
            digest=command.digest,
            size_bytes=command.size_bytes,
            media_type=command.media_type,
        ),
    )


def _check_path(path: str) -> None:
    check_keys([path], "$.path")
    parts = PurePosixPath(path)
    if not parts.parts or parts.is_absolute() or str(parts) != path or ".." in parts.parts:
        raise BadInput("$.path", f"{path!r} is not a plain relative path with forward slashes")


def record_evaluation(run: Run, command: RecordEvaluation) -> Events:
    evaluated = RunEvaluated(
        attempt=command.attempt,
        step=command.step,
        benchmark_id=command.benchmark_id,
        evaluation_id=command.evaluation_id,
        scores=command.scores,
    )
    if command.evaluation_id in run.evaluations:
        if not is_same(run.evaluations[command.evaluation_id], evaluated):
            raise errors.EvaluationAlreadyRecorded(command.run_id, command.evaluation_id)
        return ()
    if run.checkpoint(command.attempt, command.step) is None:
        raise errors.CheckpointNotRecorded(command.run_id, command.attempt, command.step)
    return (evaluated,)


def delete_checkpoint(run: Run, command: DeleteCheckpoint) -> Events:
    saved = run.checkpoint(command.attempt, command.step)
    if saved is None:
        raise errors.CheckpointNotRecorded(command.run_id, command.attempt, command.step)
    if saved.is_deleted:
        return ()
    point = run.resume_point
    is_resume_point = point is not None and (point.attempt, point.step) == (saved.attempt, saved.step)
    if is_resume_point and not run.is_ended:
        raise errors.LastCheckpointOfLiveRun(command.run_id, saved.step)
    return (
        RunCheckpointDeleted(
            attempt=saved.attempt, step=saved.step, digest=saved.digest, policy=command.policy
        ),
    )
