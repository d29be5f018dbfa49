"""Random command sequences against an independent model of the run's life."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.strategies import DataObject

from runledger.tracker.aggregates.registry import RUN, AnyCommand
from runledger.tracker.aggregates.run import (
    CompleteRun,
    ConfirmCancellation,
    ConfirmPause,
    ConfirmStop,
    DeleteCheckpoint,
    FailRun,
    HideRun,
    LoseAttempt,
    PreemptAttempt,
    RecordParams,
    RequestCancellation,
    RequestPause,
    ResumeRun,
    RetryRun,
    ReturnAttempt,
    ShowRun,
    StartAttempt,
    evolve,
    fold,
)
from runledger.tracker.dispatch import Dispatcher
from runledger.tracker.envelope import Metadata
from runledger.tracker.errors import TrackerError
from runledger.tracker.ids import run_stream
from runledger.tracker.spec import Limits
from runledger.tracker.store.memory import InMemoryLog
from tests.tracker.aggregates.life import (
    AT_WORK,
    CANCELLING,
    FAILED,
    OVER,
    PAUSED,
    PAUSING,
    QUEUED,
    RUNNING,
    Answer,
    Life,
)
from tests.tracker.builders import R, digest, record_checkpoint, request

ME = Metadata(actor="me")
ALWAYS_ALLOWED = {"RunHidden", "RunShown", "RunCheckpointDeleted"}
GOING_ON = {"RetryRun", "StartAttempt", "ReturnAttempt"}
"""What a failed run may be followed by: the last two only if it is executed elsewhere."""

people = st.sampled_from([RequestCancellation, RequestPause, ResumeRun, RetryRun])
ways_out = st.sampled_from(
    [CompleteRun, FailRun, ConfirmCancellation, ConfirmPause, ConfirmStop, LoseAttempt, PreemptAttempt]
)
workers = st.sampled_from(["w", "other"])
away = st.sampled_from([0, 0, 0, 0, -1, 1])
"""How far from the attempt whose turn it is the one that speaks is: mostly not at all."""


class RunLife(RuleBasedStateMachine):
    @initialize(allowed=st.integers(1, 3), external=st.booleans())
    def requested(self, allowed: int, external: bool) -> None:
        self.log = InMemoryLog()
        self.dispatcher = Dispatcher(self.log, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
        self.life = Life(allowed=allowed, is_elsewhere=external, params={"model.layers": 2})
        self.dispatcher.dispatch(request(limits=Limits(attempts=allowed), external=external), ME)
        self.is_hidden = False
        self.workers: dict[int, str] = {}
        self.epochs: dict[int, int] = {}
        self.last_epoch = 0

    def attempt(self, away: int) -> int:
        return max(1, self.life.turn + away)

    def send(
        self, command: AnyCommand, expected: Answer, attempt: int = 0, *, is_from_nothing: bool = False
    ) -> bool:
        """Dispatch twice: the first time as expected, the second time never any events."""
        was_over = self.life.phase in OVER
        answer = self.outcome(command)
        name = type(command).__name__
        assert answer == (expected.tags, expected.refusal), (name, self.life)
        if expected.tags:
            if was_over and name not in GOING_ON:
                assert set(expected.tags) <= ALWAYS_ALLOWED
            self.life.happened(name, expected, attempt, is_from_nothing)
            assert self.outcome(command)[0] == []
        return bool(expected.tags)

    def outcome(self, command: AnyCommand) -> tuple[list[str], str | None]:
        try:
            done = self.dispatcher.dispatch(command, ME)
        except TrackerError as error:
            return [], type(error).__name__
        return [event.tag for event in done.events], None

    # what may happen at any time, and mostly is refused

    @rule(kind=people)
    def somebody_asks(self, kind: Any) -> None:
        self.send(kind(run_id=R), self.life.ask(kind.__name__))

    @rule(away=away, worker=workers, resume=st.booleans())
    def a_worker_claims(self, away: int, worker: str, resume: bool) -> None:
        self.start(self.attempt(away), worker, resume)

    @rule(away=away, worker=workers)
    def an_attempt_speaks_up_again(self, away: int, worker: str) -> None:
        self.come_back(self.attempt(away), worker)

    @rule(kind=ways_out, away=away, replaced=st.booleans())
    def an_attempt_ends(self, kind: Any, away: int, replaced: bool) -> None:
        self.end(kind, self.attempt(away), replaced)

    @rule(away=away, step=st.integers(0, 9))
    def an_attempt_saves(self, away: int, step: int) -> None:
        self.save(self.attempt(away), step)

    @rule(away=away, key=st.sampled_from(["model.layers", "a", "b"]), value=st.integers(1, 2))
    def a_param_is_recorded(self, away: int, key: str, value: int) -> None:
        attempt = self.attempt(away)
        command = RecordParams(run_id=R, attempt=attempt, params={key: value})
        if self.send(command, self.life.note_params(attempt, key, value)):
            self.life.params[key] = value

    @rule()
    def somebody_hides_or_shows(self) -> None:
        command = ShowRun(run_id=R) if self.is_hidden else HideRun(run_id=R)
        self.send(command, Answer(tags=["RunShown" if self.is_hidden else "RunHidden"]))
        self.is_hidden = not self.is_hidden

    # what leads on, so that a life gets long

    @precondition(lambda self: self.life.phase == QUEUED)
    @rule()
    def the_turn_starts(self) -> None:
        self.start(self.life.turn, "w")

    @precondition(lambda self: self.life.phase in AT_WORK)
    @rule(more=st.integers(0, 2))
    def the_turn_saves(self, more: int) -> None:
        self.save(self.life.turn, more + (self.life.trail[-1][1] if self.life.trail else 0))

    @precondition(lambda self: self.life.phase in AT_WORK)
    @rule(kind=st.sampled_from([LoseAttempt, PreemptAttempt, FailRun]))
    def the_turn_breaks_off(self, kind: Any) -> None:
        self.end(kind, self.life.turn)

    @precondition(lambda self: self.life.phase == RUNNING)
    @rule(kind=st.sampled_from([RequestPause, RequestPause, RequestCancellation]))
    def the_turn_is_asked_to_stop(self, kind: Any) -> None:
        self.send(kind(run_id=R), self.life.ask(kind.__name__))

    @precondition(lambda self: self.life.phase in (PAUSING, CANCELLING))
    @rule()
    def the_turn_stops(self) -> None:
        self.end(ConfirmPause if self.life.phase == PAUSING else ConfirmCancellation, self.life.turn)

    @precondition(lambda self: self.life.phase in (PAUSED, FAILED))
    @rule()
    def it_goes_on(self) -> None:
        if self.life.is_elsewhere:
            self.start(self.life.turn + 1, "w")
            return
        kind = ResumeRun if self.life.phase == PAUSED else RetryRun
        self.send(kind(run_id=R), self.life.ask(kind.__name__))

    @precondition(lambda self: self.life.ends.get(self.life.turn) == "lost")
    @rule()
    def the_turn_was_not_lost_after_all(self) -> None:
        self.come_back(self.life.turn, self.workers[self.life.turn])

    @precondition(lambda self: self.life.saved)
    @rule(data=st.data())
    def a_checkpoint_is_deleted(self, data: DataObject) -> None:
        attempt, step = data.draw(st.sampled_from([*self.life.saved, (1, 99)]))
        command = DeleteCheckpoint(run_id=R, attempt=attempt, step=step, policy="p")
        if self.send(command, self.life.delete(attempt, step)):
            self.life.saved[attempt, step] = False

    # how a command is sent and written down

    def start(self, attempt: int, worker: str, resume: bool = True) -> None:
        """The same worker repeats its claim in the epoch that it has."""
        is_same = self.workers.get(attempt) == worker
        epoch = self.epochs[attempt] if is_same else self.last_epoch + 1
        command = StartAttempt(run_id=R, attempt=attempt, worker=worker, epoch=epoch, resume=resume)
        expected = self.life.start(attempt, is_same)
        if self.send(command, expected, attempt, is_from_nothing=not resume):
            self.workers[attempt] = worker
            self.epochs[attempt] = self.last_epoch = epoch
            point = self.dispatcher.load(RUN, R).attempts[-1].resumed_from
            assert (point and (point.attempt, point.step)) == self.life.goes_on_from

    def come_back(self, attempt: int, worker: str) -> None:
        epoch = self.last_epoch + 1
        command = ReturnAttempt(run_id=R, attempt=attempt, worker=worker, epoch=epoch)
        if self.send(command, self.life.come_back(attempt, self.workers.get(attempt) == worker), attempt):
            self.epochs[attempt] = self.last_epoch = epoch

    def end(self, kind: Any, attempt: int, replaced: bool = False) -> None:
        extra: dict[str, Any] = {
            PreemptAttempt: {"signal": "SIGTERM"},
            FailRun: {"reason": "error"},
            LoseAttempt: {"replaced": replaced},
        }.get(kind, {})
        command = kind(run_id=R, attempt=attempt, **extra)
        self.send(command, self.life.report(kind.__name__, attempt, replaced), attempt)

    def save(self, attempt: int, step: int) -> None:
        if self.send(record_checkpoint(step, attempt), self.life.save(attempt, step)):
            self.life.saved[attempt, step] = True
            self.life.trail.append((attempt, step))

    @invariant()
    def the_state_is_what_the_model_says(self) -> None:
        run = self.dispatcher.load(RUN, R)
        point = self.life.goes_on_from
        assert (run.status, run.attempt, run.losses) == (self.life.phase, self.life.turn, self.life.lost)
        assert run.resume_point is None if point is None else run.resume_point is not None
        if run.resume_point is not None and point is not None:
            assert (run.resume_point.attempt, run.resume_point.step) == point
            assert run.resume_point.digest == digest(point[1], point[0])
        assert {each.number: each.outcome for each in run.attempts if each.outcome} == self.life.ends
        assert {each.number: each.epoch for each in run.attempts} == self.epochs
        assert run.is_hidden == self.is_hidden

    @invariant()
    def the_stream_is_whole(self) -> None:
        rows = self.log.read(run_stream(R))
        assert [row.version for row in rows] == list(range(1, len(rows) + 1))
        assert [row.position for row in rows] == list(range(1, len(rows) + 1))
        events: list[Any] = [row.event for row in rows]
        whole = fold(events)
        assert whole is not None
        assert whole.version == len(rows)
        half = fold(events[: len(events) // 2])
        for event in events[len(events) // 2 :]:
            half = evolve(half, event)
        assert half == whole


RunLife.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestRunLife = RunLife.TestCase
