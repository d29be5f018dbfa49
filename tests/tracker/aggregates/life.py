"""A run's life on one page, written down without the code that decides it.

`PHASES` is the table: in which phase which command leads where. Everything else that can be said of a
run is counted here in the plainest way, so that the two can only agree by both being right.
"""

from __future__ import annotations

from dataclasses import dataclass, field

QUEUED, RUNNING, PAUSING, PAUSED, CANCELLING = "queued", "running", "pausing", "paused", "cancelling"
COMPLETED, FAILED, CANCELLED = "completed", "failed", "cancelled"
OVER = {COMPLETED, FAILED, CANCELLED}
AT_WORK = {RUNNING, PAUSING, CANCELLING}


@dataclass
class Answer:
    """The events expected, or the name of the refusal. Neither: it is so already."""

    tags: list[str] = field(default_factory=list)
    refusal: str | None = None
    phase: str | None = None


def goes(phase: str, *tags: str) -> Answer:
    return Answer(tags=list(tags), phase=phase)


def no(refusal: str) -> Answer:
    return Answer(refusal=refusal)


NOTHING = Answer()
ENDED = no("RunAlreadyEnded")
CANCEL_AT_ONCE = goes(CANCELLED, "RunCancellationRequested", "RunCancelled")
PAUSE_AT_ONCE = goes(PAUSED, "RunPauseRequested", "RunPaused")

PHASES: dict[str, dict[str, Answer]] = {
    "RequestCancellation": {
        QUEUED: CANCEL_AT_ONCE,
        PAUSED: CANCEL_AT_ONCE,
        RUNNING: goes(CANCELLING, "RunCancellationRequested"),
        PAUSING: goes(CANCELLING, "RunCancellationRequested"),
        CANCELLING: NOTHING,
        CANCELLED: NOTHING,
        COMPLETED: ENDED,
        FAILED: ENDED,
    },
    "RequestPause": {
        QUEUED: PAUSE_AT_ONCE,
        PAUSED: NOTHING,
        RUNNING: goes(PAUSING, "RunPauseRequested"),
        PAUSING: NOTHING,
        CANCELLING: no("RunIsCancelling"),
        CANCELLED: ENDED,
        COMPLETED: ENDED,
        FAILED: ENDED,
    },
    "ResumeRun": {
        QUEUED: no("RunNotPaused"),
        PAUSED: goes(QUEUED, "RunResumed"),
        RUNNING: no("RunNotPaused"),
        PAUSING: no("RunNotPaused"),
        CANCELLING: no("RunNotPaused"),
        CANCELLED: ENDED,
        COMPLETED: ENDED,
        FAILED: ENDED,
    },
    "RetryRun": {
        phase: goes(QUEUED, "RunRetried") if phase == FAILED else no("RunNotFailed")
        for phase in (QUEUED, RUNNING, PAUSING, PAUSED, CANCELLING, COMPLETED, FAILED, CANCELLED)
    },
    "CompleteRun": dict.fromkeys(AT_WORK, goes(COMPLETED, "RunCompleted")),
    "FailRun": dict.fromkeys(AT_WORK, goes(FAILED, "RunFailed")),
    "ConfirmCancellation": {
        RUNNING: no("CancellationNotRequested"),
        PAUSING: no("CancellationNotRequested"),
        CANCELLING: goes(CANCELLED, "RunCancelled"),
    },
    "ConfirmPause": {
        RUNNING: no("PauseNotRequested"),
        PAUSING: goes(PAUSED, "RunPaused"),
        CANCELLING: no("PauseNotRequested"),
    },
    "ConfirmStop": {
        RUNNING: no("StopNotRequested"),
        PAUSING: goes(PAUSED, "RunPaused"),
        CANCELLING: goes(CANCELLED, "RunCancelled"),
    },
    "PreemptAttempt": {
        RUNNING: goes(QUEUED, "RunPreempted", "RunRetried"),
        PAUSING: goes(PAUSED, "RunPreempted", "RunPaused"),
        CANCELLING: goes(CANCELLED, "RunPreempted", "RunCancelled"),
    },
    "LoseAttempt": {
        RUNNING: goes(QUEUED, "RunAttemptLost", "RunRetried"),
        PAUSING: goes(PAUSED, "RunAttemptLost", "RunPaused"),
        CANCELLING: goes(CANCELLED, "RunAttemptLost", "RunCancelled"),
    },
    "RecordCheckpoint": dict.fromkeys(AT_WORK, Answer(tags=["RunCheckpointed"])),
    "RecordParams": dict.fromkeys(AT_WORK, Answer(tags=["RunParamsRecorded"])),
}

ELSEWHERE: dict[str, dict[str, Answer]] = {
    "ResumeRun": {PAUSED: no("RunIsExternal")},
    "RetryRun": {FAILED: no("RunIsExternal")},
    "PreemptAttempt": {RUNNING: goes(FAILED, "RunPreempted", "RunFailed")},
    "LoseAttempt": {RUNNING: goes(FAILED, "RunAttemptLost", "RunFailed")},
}
"""What is different for a run executed elsewhere: nothing puts it into a queue."""

ENDS = {
    "CompleteRun": {COMPLETED},
    "FailRun": {FAILED},
    "ConfirmCancellation": {CANCELLED},
    "ConfirmPause": {PAUSED},
    "ConfirmStop": {CANCELLED, PAUSED},
    "PreemptAttempt": {"preempted"},
    "LoseAttempt": {"lost"},
}
"""How an attempt may have ended by the command."""


@dataclass
class Life:
    """What a careful clerk would keep on a sheet of paper."""

    allowed: int
    is_elsewhere: bool = False
    phase: str = QUEUED
    turn: int = 1
    """The attempt whose turn it is."""
    lost: int = 0
    started: list[int] = field(default_factory=list)
    ends: dict[int, str] = field(default_factory=dict)
    saved: dict[tuple[int, int], bool] = field(default_factory=dict)
    """(attempt, step) to whether it is still there."""
    trail: list[tuple[int, int]] = field(default_factory=list)
    """What the run would be retold from, oldest first: superseded saves are struck off."""
    params: dict[str, int] = field(default_factory=dict)

    @property
    def goes_on_from(self) -> tuple[int, int] | None:
        left = [save for save in self.trail if self.saved[save]]
        return left[-1] if left else None

    def start(self, attempt: int, is_same_worker: bool) -> Answer:
        if attempt in self.started and is_same_worker:
            return NOTHING
        if self.is_elsewhere and self.phase in (FAILED, PAUSED) and attempt == self.turn + 1:
            return goes(RUNNING, "RunRetried" if self.phase == FAILED else "RunResumed", "RunStarted")
        if self.phase in OVER:
            return ENDED
        if attempt != self.turn:
            return no("AttemptNotCurrent")
        if attempt in self.started:
            return no("AttemptAlreadyStarted")
        return no("RunIsPaused") if self.phase == PAUSED else goes(RUNNING, "RunStarted")

    def come_back(self, attempt: int, is_same_worker: bool) -> Answer:
        """An attempt that was thought lost speaks up, in a new epoch."""
        if not self.is_elsewhere:
            return no("RunNotExternal")
        if attempt not in self.started:
            return no("AttemptNotStarted")
        if attempt != self.turn:
            return no("AttemptNotCurrent")
        if self.phase in (COMPLETED, CANCELLED):
            return ENDED
        if self.ends.get(attempt, "lost") != "lost":
            return no("AttemptNotLost")
        if not is_same_worker:
            return no("AttemptAlreadyStarted")
        resumed = {PAUSED: PAUSING, FAILED: RUNNING}
        return goes(resumed.get(self.phase, self.phase), "RunAttemptReturned")

    def ask(self, command: str) -> Answer:
        elsewhere = ELSEWHERE.get(command, {}) if self.is_elsewhere else {}
        return elsewhere.get(self.phase) or PHASES[command][self.phase]

    def report(self, command: str, attempt: int, is_replaced: bool = False) -> Answer:
        """What an attempt says of itself."""
        if self.ends.get(attempt) in ENDS.get(command, ()):
            return NOTHING
        if self.phase in OVER:
            return ENDED
        if attempt != self.turn:
            return no("AttemptNotCurrent")
        if self.phase not in AT_WORK:
            return no("RunIsPaused" if self.phase == PAUSED else "AttemptNotStarted")
        if command == "LoseAttempt" and self.phase == RUNNING:
            return self._lose(is_replaced)
        return self.ask(command)

    def _lose(self, is_replaced: bool) -> Answer:
        is_last = not is_replaced if self.is_elsewhere else self.lost + 1 == self.allowed
        return ELSEWHERE["LoseAttempt"][RUNNING] if is_last else PHASES["LoseAttempt"][RUNNING]

    def save(self, attempt: int, step: int) -> Answer:
        if (attempt, step) in self.saved:
            return NOTHING
        answer = self.report("RecordCheckpoint", attempt)
        if answer.tags and self.trail:
            last_attempt, last_step = self.trail[-1]
            if step < last_step or (step == last_step and attempt == last_attempt):
                return no("CheckpointStepNotGrowing")
        return answer

    def delete(self, attempt: int, step: int) -> Answer:
        if (attempt, step) not in self.saved:
            return no("CheckpointNotRecorded")
        if not self.saved[attempt, step]:
            return NOTHING
        if self.goes_on_from == (attempt, step) and self.phase not in OVER:
            return no("LastCheckpointOfLiveRun")
        return Answer(tags=["RunCheckpointDeleted"])

    def note_params(self, attempt: int, key: str, value: int) -> Answer:
        answer = self.report("RecordParams", attempt)
        if answer.refusal is None and key in self.params:
            return NOTHING if self.params[key] == value else no("ParamAlreadyRecorded")
        return answer

    def happened(self, command: str, answer: Answer, attempt: int = 0, is_from_nothing: bool = False) -> None:
        """Write down what a command that made events has changed."""
        if command == "StartAttempt":
            self.started.append(attempt)
            self.turn = attempt
            point = None if is_from_nothing else self.goes_on_from
            self.trail = self.trail[: self.trail.index(point) + 1] if point else []
        if command == "ReturnAttempt":
            self.ends.pop(attempt, None)
        if command in ENDS:
            (outcome,) = ENDS[command] if len(ENDS[command]) == 1 else {str(answer.phase)}
            self.ends[attempt] = outcome
        if command == "LoseAttempt":
            self.lost += 1
        if command == "RetryRun":
            self.lost = 0
        if answer.phase == QUEUED:
            self.turn += 1
        self.phase = answer.phase or self.phase
