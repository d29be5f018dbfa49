"""What the log says of one run, folded from its stream, as far as MLflow is concerned.

Pure. Which points are *settled* is decided here: those that no later attempt is likely to supersede,
so that MLflow, whose API cannot forget a point, need not be told to.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from tracker.effective import NOTHING, cut, within
from tracker.envelope import Recorded
from tracker.events.base import Covers, ResumePoint
from tracker.events.run import (
    RunArtifactRecorded,
    RunAttemptLost,
    RunCancellationRequested,
    RunCancelled,
    RunCheckpointDeleted,
    RunCheckpointed,
    RunCompleted,
    RunEnvironmentRecorded,
    RunEvaluated,
    RunFailed,
    RunHidden,
    RunNoted,
    RunParamsRecorded,
    RunPaused,
    RunPauseRequested,
    RunPreempted,
    RunRenamed,
    RunRequested,
    RunResumed,
    RunRetried,
    RunShown,
    RunStarted,
    RunTagged,
)
from tracker.ids import RunId
from tracker.spec import Scalar

OVER = frozenset({"completed", "failed", "cancelled"})


class Saved(msgspec.Struct, kw_only=True):
    """A recorded checkpoint; `deleted_by` is the policy that took its bytes away."""

    event: RunCheckpointed
    at: datetime
    deleted_by: str | None = None

    @property
    def point(self) -> ResumePoint:
        return ResumePoint(attempt=self.event.attempt, step=self.event.step, digest=self.event.digest)


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    event: RunEvaluated
    at: datetime


class Facts(msgspec.Struct, kw_only=True):
    """One run, as of the newest event of its stream that was read."""

    run_id: RunId
    requested: RunRequested
    requested_at: datetime
    name: str
    position: int
    status: str = "queued"
    ended_at: datetime | None = None
    failure: RunFailed | None = None
    params: dict[str, Scalar] = {}
    tags: dict[str, str] = {}
    note: str = ""
    is_hidden: bool = False
    environment: RunEnvironmentRecorded | None = None
    attempts: dict[int, ResumePoint | None] = {}
    checkpoints: list[Saved] = []
    evaluations: list[Scored] = []
    artifacts: dict[str, RunArtifactRecorded] = {}

    @property
    def is_over(self) -> bool:
        return self.status in OVER


def fold(run_id: RunId, stream: Iterable[Recorded]) -> Facts:
    """The whole stream of a run; its first event is `RunRequested`."""
    recorded = iter(stream)
    facts = _begin(run_id, next(recorded))
    for each in recorded:
        _take(facts, each)
        facts.position = each.position
    return facts


def effective(facts: Facts) -> dict[int, Covers | None]:
    """How much of each attempt's telemetry counts."""
    return cut(facts.attempts, {saved.point: saved.event.covers for saved in facts.checkpoints})


def settled(facts: Facts) -> dict[int, Covers | None]:
    """How much of each attempt's telemetry MLflow is told.

    All that is effective, but of the newest attempt of a run that is not over only what a checkpoint
    covers, if the run saves checkpoints at all. A run that failed is told whole: its end is what
    people look for, and should it be retried, it is written anew.
    """
    limits = effective(facts)
    if facts.is_over or not facts.checkpoints or not limits:
        return limits
    newest = max(limits)
    own = [saved.event.covers for saved in facts.checkpoints if saved.event.attempt == newest]
    limits[newest] = max(own, key=lambda covers: (covers.version, covers.offset), default=NOTHING)
    return limits


def effective_checkpoints(facts: Facts) -> list[Saved]:
    """Without those whose points were superseded by an attempt that went on from an earlier one."""
    cuts = effective(facts)
    return [
        saved
        for saved in facts.checkpoints
        if within(saved.event.covers, cuts.get(saved.event.attempt, NOTHING))
    ]


def effective_evaluations(facts: Facts) -> list[Scored]:
    """Those of checkpoints that count; of a state that was never saved, those of attempts that count."""
    kept = {(saved.event.attempt, saved.event.step) for saved in effective_checkpoints(facts)}
    dropped = {(saved.event.attempt, saved.event.step) for saved in facts.checkpoints} - kept
    counting = {attempt for attempt, covers in effective(facts).items() if covers != NOTHING}
    return [
        scored
        for scored in facts.evaluations
        if (state := (scored.event.attempt, scored.event.step)) in kept
        or (state not in dropped and scored.event.attempt in counting)
    ]


def _begin(run_id: RunId, first: Recorded) -> Facts:
    requested = first.event
    if not isinstance(requested, RunRequested):
        raise TypeError(f"the stream of run {run_id} begins with {first.type}")
    return Facts(
        run_id=run_id,
        requested=requested,
        requested_at=first.occurred_at,
        name=requested.name,
        position=first.position,
        params=requested.spec.params(),
        tags=dict(requested.tags),
    )


def _take(facts: Facts, recorded: Recorded) -> None:
    if not _take_life(facts, recorded):
        _take_record(facts, recorded)


def _take_life(facts: Facts, recorded: Recorded) -> bool:
    """What changes the status of the run. False if the event is none of these."""
    match recorded.event:
        case RunStarted(attempt=attempt, resumed_from=resumed_from):
            facts.attempts[attempt] = resumed_from
            facts.status = "running"
        case RunCancellationRequested():
            facts.status = "cancelling"
        case RunPauseRequested():
            facts.status = "pausing"
        case RunPaused():
            facts.status = "paused"
        case RunAttemptLost() | RunPreempted() | RunResumed() | RunRetried():
            facts.status, facts.ended_at, facts.failure = "queued", None, None
        case RunCompleted():
            facts.status, facts.ended_at = "completed", recorded.occurred_at
        case RunCancelled():
            facts.status, facts.ended_at = "cancelled", recorded.occurred_at
        case RunFailed() as failure:
            facts.status, facts.ended_at, facts.failure = "failed", recorded.occurred_at, failure
        case _:
            return False
    return True


def _take_record(facts: Facts, recorded: Recorded) -> None:
    match recorded.event:
        case RunParamsRecorded(params=params):
            facts.params.update(params)
        case RunEnvironmentRecorded() as environment:
            facts.environment = environment
        case RunCheckpointed() as checkpointed:
            facts.checkpoints.append(Saved(event=checkpointed, at=recorded.occurred_at))
        case RunCheckpointDeleted(attempt=attempt, step=step, digest=digest, policy=policy):
            _delete(facts, ResumePoint(attempt=attempt, step=step, digest=digest), policy)
        case RunEvaluated() as evaluated:
            facts.evaluations.append(Scored(event=evaluated, at=recorded.occurred_at))
        case RunArtifactRecorded(path=path) as artifact:
            facts.artifacts[path] = artifact
        case _:
            _take_human(facts, recorded)


def _take_human(facts: Facts, recorded: Recorded) -> None:
    match recorded.event:
        case RunRenamed(name=name):
            facts.name = name
        case RunTagged(added=added, removed=removed):
            facts.tags = {key: value for key, value in facts.tags.items() if key not in removed} | added
        case RunNoted(note=note):
            facts.note = note
        case RunHidden():
            facts.is_hidden = True
        case RunShown():
            facts.is_hidden = False
        case other:
            raise TypeError(f"an event of a run that the sink does not know: {type(other).__name__}")


def _delete(facts: Facts, point: ResumePoint, policy: str) -> None:
    for saved in facts.checkpoints:
        if saved.point == point:
            saved.deleted_by = policy
