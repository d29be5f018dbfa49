"""What is remembered of aggregates is the fold of their streams, whatever happened to those."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runledger.tracker import states as module
from runledger.tracker.aggregates.experiment import CreateExperiment, RenameExperiment
from runledger.tracker.aggregates.registry import EXPERIMENT
from runledger.tracker.dispatch import Dispatcher
from runledger.tracker.envelope import Metadata, Recorded
from runledger.tracker.errors import WrongExpectedVersion
from runledger.tracker.ids import ExperimentId, Stream
from runledger.tracker.states import States
from runledger.tracker.store.memory import InMemoryLog

ME = Metadata(actor="me")


class Counting(InMemoryLog):
    """Notes how many events it has handed out."""

    handed_out = 0

    def read(self, stream: str, *, after: int = 0, limit: int | None = None) -> list[Recorded]:
        recorded = super().read(stream, after=after, limit=limit)
        self.handed_out += len(recorded)
        return recorded


def dispatcher(log: InMemoryLog) -> Dispatcher:
    return Dispatcher(log, clock=lambda: datetime(2026, 1, 2, tzinfo=UTC))


def create(id: str = "x") -> CreateExperiment:
    return CreateExperiment(experiment_id=ExperimentId(id), name="one")


def rename(name: str, id: str = "x") -> RenameExperiment:
    return RenameExperiment(experiment_id=ExperimentId(id), name=name)


@pytest.fixture
def never_recent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECENT_SECONDS", 0)


@pytest.mark.usefixtures("never_recent")
def test_a_decision_reads_only_what_is_new_to_it() -> None:
    log = Counting()
    mine = dispatcher(log)
    mine.dispatch(create(), ME)
    for number in range(20):
        mine.dispatch(rename(f"name {number}"), ME)
    assert log.handed_out == 20


def test_a_decision_right_after_another_reads_nothing() -> None:
    log = Counting()
    mine = dispatcher(log)
    mine.dispatch(create(), ME)
    for number in range(20):
        mine.dispatch_all(rename(f"name {number}"), rename(f"name {number}"), metadata=ME)
    assert (log.handed_out, log.version("experiment-x")) == (0, 21)


def test_a_state_is_recent_for_a_second() -> None:
    log, now = InMemoryLog(), [5.0]
    dispatcher(log).dispatch(create(), ME)
    states, stream = States(log, clock=lambda: now[0]), Stream("experiment-x")
    assert states.recent(stream) is None
    folded = states.at(EXPERIMENT, stream)
    now[0] += 0.9
    assert states.recent(stream) is folded
    now[0] += 0.2
    assert states.recent(stream) is None


def test_that_something_is_so_already_is_said_only_of_what_was_read() -> None:
    log = InMemoryLog()
    mine, theirs = dispatcher(log), dispatcher(log)
    mine.dispatch(create(), ME)
    theirs.dispatch(rename("theirs"), ME)
    assert len(mine.dispatch(rename("one"), ME).events) == 1


def test_a_refusal_is_said_only_of_what_was_read() -> None:
    log = InMemoryLog()
    mine, theirs = dispatcher(log), dispatcher(log)
    mine.dispatch(create(), ME)
    theirs.dispatch(rename("theirs"), ME)
    with pytest.raises(WrongExpectedVersion):
        mine.dispatch(rename("mine"), ME, expected_version=1)
    assert mine.dispatch(rename("mine"), ME, expected_version=2).version == 3


def test_what_is_done_within_an_append_is_done_on_what_was_read() -> None:
    log, calls = Counting(), list[object]()
    mine = dispatcher(log)
    mine.dispatch(create(), ME)
    mine.dispatch(rename("two"), ME, within=calls.append)
    assert (log.handed_out, len(calls)) == (1, 1)


def test_what_others_have_appended_is_in_the_next_decision() -> None:
    log = InMemoryLog()
    mine, theirs = dispatcher(log), dispatcher(log)
    mine.dispatch(create(), ME)
    theirs.dispatch(rename("theirs"), ME)
    assert mine.dispatch(rename("theirs"), ME).events == ()
    assert mine.load(EXPERIMENT, "x").name == "theirs"


def test_a_refused_append_leaves_no_trace() -> None:
    log = InMemoryLog()
    mine = dispatcher(log)
    mine.dispatch(create(), ME)
    log.append = _refuse  # type: ignore[method-assign, assignment]
    with pytest.raises(WrongExpectedVersion):
        mine.dispatch(rename("never"), ME)
    del log.append  # type: ignore[method-assign]
    assert mine.load(EXPERIMENT, "x").name == "one"
    assert mine.dispatch(rename("after all"), ME).version == 2


def _refuse(*writes: object, **options: object) -> int:
    raise WrongExpectedVersion("experiment-x", 1, 2)


def test_a_ledger_that_was_restored_is_read_from_its_beginning() -> None:
    """At the version that is remembered stands another event now, or none."""
    log = InMemoryLog()
    mine = dispatcher(log)
    mine.dispatch(create(), ME)
    mine.dispatch(rename("lost"), ME)
    restored = InMemoryLog()
    other = dispatcher(restored)
    other.dispatch(create(), ME)
    log.__dict__ |= restored.__dict__
    assert mine.load(EXPERIMENT, "x").name == "one"
    other.dispatch(rename("another"), ME)
    assert mine.load(EXPERIMENT, "x").name == "another"


def test_no_decision_is_appended_behind_another_event_than_it_was_taken_on() -> None:
    """The restored ledger has come to the same version with an event that is not the one remembered."""
    log, restored = InMemoryLog(), InMemoryLog()
    mine, other = dispatcher(log), dispatcher(restored)
    for each, name in ((mine, "lost"), (other, "found")):
        each.dispatch(create(), ME)
        each.dispatch(rename(name), ME)
    log.__dict__ |= restored.__dict__
    assert mine.dispatch(rename("found"), ME).events == ()
    assert log.version("experiment-x") == 2


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.sampled_from("123")), max_size=30)
)
def test_two_who_take_turns_decide_as_one_who_remembers_nothing(turns: list[tuple[str, str, str]]) -> None:
    log, reference = InMemoryLog(), InMemoryLog()
    who = {"a": dispatcher(log), "b": dispatcher(log)}
    for id in "xyz":
        who["a"].dispatch(create(id), ME)
        dispatcher(reference).dispatch(create(id), ME)
    for name, id, to in turns:
        done = who[name].dispatch(rename(to, id), ME)
        assert done.events == dispatcher(reference).dispatch(rename(to, id), ME).events
        assert done.position == reference.head() or not done.events


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    log = InMemoryLog()
    mine = dispatcher(log)
    for number in range(12):
        mine.dispatch(create(str(number)), ME)
    size_bytes = len(log.read(Stream("experiment-0"))[0].payload)
    states = States(log)
    monkeypatch.setattr(module, "KEPT_STATES", 5)
    for number in range(12):
        states.at(EXPERIMENT, Stream(f"experiment-{number}"))
    assert list(states._kept) == [f"experiment-{number}" for number in range(7, 12)]
    monkeypatch.setattr(module, "KEPT_BYTES", 2 * size_bytes)
    states.at(EXPERIMENT, Stream("experiment-0"))
    assert list(states._kept) == ["experiment-11", "experiment-0"]
    assert states._kept_bytes == 2 * size_bytes


def test_who_comes_later_with_an_earlier_state_takes_nothing_back() -> None:
    states, stream = States(InMemoryLog()), Stream("experiment-x")
    newer, older = (module.Folded(version, UUID(int=version), 10, None) for version in (3, 2))
    states.keep(stream, newer)
    states.keep(stream, older)
    assert states._kept[stream] is newer
    assert states._kept_bytes == 10
