"""Dispatching: load, decide, append, and what happens when somebody else was first."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from runledger.tracker import dispatch as module
from runledger.tracker.aggregates.errors import RunAlreadyEnded
from runledger.tracker.aggregates.experiment import ArchiveExperiment, CreateExperiment, RenameExperiment
from runledger.tracker.aggregates.registry import EXPERIMENT, RUN
from runledger.tracker.aggregates.run import (
    FailRun,
    RecordParams,
    RequestCancellation,
    RequestRun,
    StartAttempt,
    TagRun,
)
from runledger.tracker.dispatch import MAX_TRIES, Dispatcher
from runledger.tracker.envelope import Fence, Metadata, NewEvent, Write
from runledger.tracker.errors import BadInput, Fenced, NotFound, WrongExpectedVersion
from runledger.tracker.events.experiment import ExperimentCreated, ExperimentRenamed
from runledger.tracker.events.telemetry import LogsRecorded
from runledger.tracker.ids import Digest, ExperimentId, RunId, experiment_stream, run_stream, telemetry_stream
from runledger.tracker.spec import RunSpec
from runledger.tracker.store.memory import InMemoryLog

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ME = Metadata(actor="api:me", correlation_id="c")
X = ExperimentId("x")
R = RunId("r")
CREATE = CreateExperiment(experiment_id=X, name="one")
REQUEST = RequestRun(
    run_id=R,
    experiment_id=X,
    name="first",
    spec=RunSpec(recipe="lm", version=1, digest="d", values={}),
    requested_by="me",
)


class Racing(InMemoryLog):
    """Somebody else appends to the stream just before each of the first `losses` appends."""

    def __init__(self, losses: int) -> None:
        super().__init__()
        self.losses = losses
        self.lost = 0

    def append(self, *writes: Write, **options: Any) -> int:
        if self.lost < self.losses and self.read(writes[0].stream):
            self.lost += 1
            self.interfere(writes[0])
        return super().append(*writes, **options)

    def interfere(self, write: Write) -> None:
        other = NewEvent(
            event_id=uuid4(),
            event=ExperimentRenamed(name=f"other {self.lost}"),
            occurred_at=NOW,
            metadata=Metadata(actor="other"),
        )
        at = len(self.read(write.stream))
        super().append(Write(stream=write.stream, expected_version=at, events=(other,)))


def dispatcher(log: InMemoryLog) -> Dispatcher:
    return Dispatcher(log, clock=lambda: NOW)


def test_a_command_becomes_events_with_their_envelope() -> None:
    log = InMemoryLog()
    done = dispatcher(log).dispatch(CREATE, ME)
    assert (done.position, done.stream, done.version) == (1, experiment_stream(X), 1)
    assert done.events == (ExperimentCreated(name="one"),)
    (row,) = log.read(experiment_stream(X))
    assert (row.actor, row.correlation_id, row.occurred_at) == ("api:me", "c", NOW)


def test_what_is_told_later_bears_the_time_at_which_it_happened() -> None:
    log = InMemoryLog()
    then = NOW - timedelta(days=3)
    dispatcher(log).dispatch(CREATE, ME, occurred_at=then)
    dispatcher(log).dispatch_all(RenameExperiment(experiment_id=X, name="two"), metadata=ME, occurred_at=then)
    assert [row.occurred_at for row in log.read(experiment_stream(X))] == [then, then]


def test_a_repeated_command_appends_nothing_and_answers_with_the_head() -> None:
    log = InMemoryLog()
    dispatcher(log).dispatch(CREATE, ME)
    again = dispatcher(log).dispatch(CREATE, ME)
    assert (again.position, again.version, again.events) == (1, 1, ())
    assert log.head() == 1


def test_a_decision_is_taken_anew_when_the_stream_moved_on() -> None:
    log = Racing(losses=3)
    dispatcher(log).dispatch(CREATE, ME)
    done = dispatcher(log).dispatch(RenameExperiment(experiment_id=X, name="mine"), ME)
    assert done.version == 5
    assert dispatcher(log).load(EXPERIMENT, X).name == "mine"


def test_it_gives_up_in_bounded_time() -> None:
    log = Racing(losses=1_000)
    dispatcher(log).dispatch(CREATE, ME)
    with pytest.raises(WrongExpectedVersion):
        dispatcher(log).dispatch(RenameExperiment(experiment_id=X, name="mine"), ME)
    assert log.lost == MAX_TRIES


def test_a_stale_expected_version_is_refused_at_once() -> None:
    log = InMemoryLog()
    dispatcher(log).dispatch(CREATE, ME)
    rename = RenameExperiment(experiment_id=X, name="mine")
    with pytest.raises(WrongExpectedVersion) as refused:
        dispatcher(log).dispatch(rename, ME, expected_version=7)
    assert (refused.value.expected, refused.value.actual) == (7, 1)
    assert dispatcher(log).dispatch(rename, ME, expected_version=1).version == 2


def test_with_an_expected_version_a_race_is_lost_not_repeated() -> None:
    log = Racing(losses=1)
    dispatcher(log).dispatch(CREATE, ME)
    with pytest.raises(WrongExpectedVersion):
        dispatcher(log).dispatch(RenameExperiment(experiment_id=X, name="mine"), ME, expected_version=1)
    assert log.lost == 1


def test_several_aggregates_are_appended_together() -> None:
    log = InMemoryLog()
    done = dispatcher(log).dispatch_all(CREATE, REQUEST, metadata=ME)
    assert (done.position, done.stream, done.version) == (2, experiment_stream(X), 1)
    assert dispatcher(log).load(RUN, R).status == "queued"


def test_a_later_command_sees_what_an_earlier_one_decided() -> None:
    log = InMemoryLog()
    start = StartAttempt(run_id=R, attempt=1, worker="w", epoch=1)
    done = dispatcher(log).dispatch_all(REQUEST, start, TagRun(run_id=R, added={"a": "b"}), metadata=ME)
    assert done.version == 3
    assert [row.version for row in log.read(run_stream(R))] == [1, 2, 3]


def test_one_refusal_refuses_all() -> None:
    log = InMemoryLog()
    with pytest.raises(NotFound):
        dispatcher(log).dispatch_all(CREATE, RequestCancellation(run_id=R), metadata=ME)
    assert log.head() == 0


def test_an_exception_within_the_transaction_refuses_the_append() -> None:
    log = InMemoryLog()

    def within(connection: object) -> None:
        raise KeyError("no")

    with pytest.raises(KeyError):
        dispatcher(log).dispatch(CREATE, ME, within=within)
    assert log.head() == 0


@pytest.mark.parametrize("name", [2**64, -(2**63) - 1, "\ud800"])
def test_a_value_that_the_log_cannot_hold_is_refused(name: object) -> None:
    spec = RunSpec(recipe="lm", version=1, digest="d", values={"seed": name})
    log = InMemoryLog()
    with pytest.raises(BadInput, match=r"64 bits|Unicode"):
        dispatcher(log).dispatch(replace(REQUEST, spec=spec), ME)
    assert log.head() == 0


def test_a_fence_of_another_epoch_refuses_the_append() -> None:
    log = InMemoryLog()
    dispatcher(log).dispatch(REQUEST, ME)
    log.epochs[run_stream(R)] = 2
    start = StartAttempt(run_id=R, attempt=1, worker="w", epoch=1)
    with pytest.raises(Fenced):
        dispatcher(log).dispatch(start, ME, fence=Fence(stream=run_stream(R), epoch=1))
    assert dispatcher(log).dispatch(start, ME, fence=Fence(stream=run_stream(R), epoch=2)).version == 2


def test_telemetry_is_recorded_without_a_decision_and_counts_once() -> None:
    log = InMemoryLog()
    stream = telemetry_stream(R, 1)
    batch = NewEvent(
        event_id=UUID(int=1),
        event=LogsRecorded(start=0, size_bytes=3, digest=Digest("0" * 64)),
        occurred_at=NOW,
        metadata=ME,
    )
    assert dispatcher(log).record(stream, 0, [batch]) == 1
    assert dispatcher(log).record(stream, 0, [batch]) == 1
    with pytest.raises(WrongExpectedVersion):
        dispatcher(log).record(stream, 0, [replace(batch, event_id=UUID(int=2))])


def test_an_aggregate_without_events_is_not_found() -> None:
    assert dispatcher(InMemoryLog()).find(RUN, "nobody") is None
    with pytest.raises(NotFound, match="no run 'nobody'"):
        dispatcher(InMemoryLog()).load(RUN, "nobody")


def test_eight_threads_that_decide_at_once_lose_nothing() -> None:
    log = InMemoryLog()
    dispatcher(log).dispatch(REQUEST, ME)
    barrier = threading.Barrier(8)

    def tag(number: int) -> None:
        barrier.wait()
        dispatcher(log).dispatch(TagRun(run_id=R, added={str(number): "x"}), ME)

    threads = [threading.Thread(target=tag, args=(number,), daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert dispatcher(log).load(RUN, R).tags == {str(number): "x" for number in range(8)}


def test_an_archived_experiment_refuses_what_it_must_and_stays() -> None:
    log = InMemoryLog()
    dispatcher(log).dispatch_all(CREATE, ArchiveExperiment(experiment_id=X), metadata=ME)
    assert dispatcher(log).load(EXPERIMENT, X).is_archived


class Meeting(InMemoryLog):
    """Holds each append up until all the others wait for their turn, and counts them."""

    appends = 0
    waiting = threading.Event()

    def append(self, *writes: Write, **options: Any) -> int:
        self.appends += 1
        self.waiting.wait(10)
        return super().append(*writes, **options)


def test_those_who_decide_on_one_stream_in_one_process_take_turns() -> None:
    """Else all but one of them would be refused by the log, and again, until some give up."""
    log = Meeting()
    log.waiting.set()
    shared = dispatcher(log)
    shared.dispatch(REQUEST, ME)
    log.waiting.clear()
    begun = [threading.Event() for _ in range(4 * MAX_TRIES)]

    def tag(number: int) -> None:
        begun[number].set()
        shared.dispatch(TagRun(run_id=R, added={str(number): "x"}), ME)

    threads = [threading.Thread(target=tag, args=(number,), daemon=True) for number in range(len(begun))]
    for thread, event in zip(threads, begun, strict=True):
        thread.start()
        assert event.wait(10)
    log.waiting.set()
    for thread in threads:
        thread.join(10)
    assert len(shared.load(RUN, R).tags) == len(threads)
    assert log.appends == 1 + len(threads)
    assert not shared._turns._held


def test_a_turn_that_nobody_gives_back_is_taken_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_SECONDS", 0.01)
    shared = dispatcher(InMemoryLog())
    shared._turns.take(run_stream(R))
    assert shared.dispatch(REQUEST, ME).version == 1
    assert not shared._turns._held


def test_a_refused_command_gives_its_turn_back() -> None:
    shared = dispatcher(InMemoryLog())
    with pytest.raises(NotFound):
        shared.dispatch(RequestCancellation(run_id=R, reason=""), ME)
    assert not shared._turns._held


def test_an_attempt_that_was_ended_and_fenced_off_is_refused_for_its_end() -> None:
    """Whoever acts for it is told why, also where it decided on what it remembers from a moment ago."""
    log, stream = InMemoryLog(), run_stream(R)
    mine, theirs, fence = dispatcher(log), dispatcher(log), Fence(stream=stream, epoch=1)
    log.epochs[stream] = 1
    mine.dispatch(REQUEST, ME)
    mine.dispatch(StartAttempt(run_id=R, attempt=1, worker="w", epoch=1), ME, fence=fence)
    theirs.dispatch(FailRun(run_id=R, attempt=1, reason="worker-lost"), ME)
    del log.epochs[stream]
    with pytest.raises(RunAlreadyEnded):
        mine.dispatch(RecordParams(run_id=R, attempt=1, params={"lr": 0.1}), ME, fence=fence)
    assert log.version(stream) == 3
