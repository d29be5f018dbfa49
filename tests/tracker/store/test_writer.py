"""Group commit: what waits is bounded, and whatever a commit raises reaches its callers only."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

import pytest

from runledger.tracker.errors import StoreBusy, StoreUnavailable
from runledger.tracker.store import writer as module
from runledger.tracker.store.appends import Append, prepare
from runledger.tracker.store.writer import Writer
from tests.tracker.store.samples import noted, to


class Commits:
    """Stands for the database: holds commits up until it is let go, and notes their sizes."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.events: list[int] = []
        """Of each append, in order."""
        self.threads: set[int] = set()
        self.problem: Exception | None = None
        self.interruption: BaseException | None = None
        """Of the next commit only."""
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.ended = False

    def __call__(self, appends: Sequence[Append]) -> list[int]:
        self.entered.set()
        self.gate.wait(10)
        if self.problem is not None:
            raise self.problem
        interruption, self.interruption = self.interruption, None
        if interruption is not None:
            raise interruption
        self.threads.add(threading.get_ident())
        self.sizes.append(len(appends))
        self.events += (append.event_count for append in appends)
        return [append.event_count for append in appends]

    def end(self) -> None:
        self.ended = True


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture
def writer(commits: Commits) -> Iterator[Writer]:
    writer = Writer("the ledger", commits, commits.end)
    yield writer
    commits.gate.set()
    writer.close()


def some(count: int = 1, text: str = "") -> Append:
    return prepare([to("run-1", 0, *(noted(text) for _ in range(count)))], None)


def test_what_comes_while_a_commit_runs_shares_the_next(writer: Writer, commits: Commits) -> None:
    first = writer.submit(some())
    commits.entered.wait(10)
    others = [writer.submit(some(count)) for count in (2, 3, 4)]
    commits.gate.set()
    assert [future.result(10) for future in (first, *others)] == [1, 2, 3, 4]
    assert commits.sizes == [1, 3]


def test_a_commit_has_a_greatest_size(
    writer: Writer, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMIT_EVENTS", 5)
    first = writer.submit(some())
    commits.entered.wait(10)
    others = [writer.submit(some(3)) for _ in range(4)]
    commits.gate.set()
    assert [future.result(10) for future in (first, *others)] == [1, 3, 3, 3, 3]
    assert commits.sizes == [1, 2, 2]


def test_whatever_is_raised_reaches_the_callers_and_the_next_goes_on(
    writer: Writer, commits: Commits
) -> None:
    commits.problem = LookupError("a bug")
    failed = writer.submit(some())
    commits.gate.set()
    with pytest.raises(LookupError):
        failed.result(10)
    commits.problem = None
    assert writer.submit(some(7)).result(10) == 7


def test_a_caller_waits_for_room_only_so_long(
    writer: Writer, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUEUE_BYTES", 100)
    monkeypatch.setattr(module, "ROOM_SECONDS", 0.05)
    writer.submit(some())
    commits.entered.wait(10)
    waiting = writer.submit(some(text="x" * 200))
    with pytest.raises(StoreUnavailable, match="too many"):
        writer.submit(some())
    commits.gate.set()
    assert waiting.result(10) == 1
    assert writer.submit(some()).result(10) == 1


def test_a_caller_that_cannot_wait_is_told_at_once(
    writer: Writer, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUEUE_APPENDS", 1)
    waiting = writer.submit(some(), room_seconds=0)
    commits.entered.wait(10)
    with pytest.raises(StoreBusy, match="too many"):
        writer.submit(some(), room_seconds=0)
    commits.gate.set()
    assert waiting.result(10) == 1


def test_what_is_cancelled_before_its_turn_is_not_committed(writer: Writer, commits: Commits) -> None:
    writer.submit(some())
    commits.entered.wait(10)
    cancelled, kept = writer.submit(some()), writer.submit(some())
    assert cancelled.cancel()
    commits.gate.set()
    kept.result(10)
    assert commits.sizes == [1, 1]


def test_nothing_but_cancelled_appends_does_not_end_the_thread(writer: Writer, commits: Commits) -> None:
    writer.submit(some())
    commits.entered.wait(10)
    assert writer.submit(some()).cancel()
    commits.gate.set()
    assert [writer.submit(some()).result(10) for _ in range(3)] == [1, 1, 1]


def test_closing_ends_the_thread_after_what_was_queued(writer: Writer, commits: Commits) -> None:
    futures = [writer.submit(some()) for _ in range(3)]
    commits.gate.set()
    writer.close()
    assert [future.result(0) for future in futures] == [1, 1, 1]
    assert commits.ended
    with pytest.raises(StoreUnavailable, match="closed"):
        writer.submit(some())


class Interrupted(BaseException):
    """As Ctrl-C, or what a framework raises in a thread that it wants to end."""


def in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def until(is_so: Callable[[], bool]) -> None:
    """Wait for it, a bounded time."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_caller_that_is_alone_commits_in_its_own_thread(writer: Writer, commits: Commits) -> None:
    commits.gate.set()
    assert [writer.write(some(count)) for count in (1, 2, 3)] == [1, 2, 3]
    assert commits.threads == {threading.get_ident()}


def test_the_first_that_waits_commits_for_all_others(writer: Writer, commits: Commits) -> None:
    answers: list[int] = []
    first = in_thread(lambda: answers.append(writer.write(some(1))))
    assert commits.entered.wait(10)
    others = [in_thread(lambda count=count: answers.append(writer.write(some(count)))) for count in (2, 3, 4)]
    until(lambda: len(writer._queue) == 3)
    commits.gate.set()
    for thread in (first, *others):
        thread.join(10)
    assert sorted(answers) == [1, 2, 3, 4]
    assert commits.sizes == [1, 3]
    assert len(commits.threads) == 2


def test_a_caller_commits_what_was_submitted_before_it(writer: Writer, commits: Commits) -> None:
    first = writer.submit(some(1))
    assert commits.entered.wait(10)
    later = [writer.submit(some(count)) for count in (2, 3)]
    answers: list[int] = []
    caller = in_thread(lambda: answers.append(writer.write(some(4))))
    until(lambda: len(writer._queue) == 4)
    commits.gate.set()
    caller.join(10)
    assert ([future.result(10) for future in (first, *later)], answers) == ([1, 2, 3], [4])
    assert commits.sizes == [1, 3]


def test_what_a_commit_raises_reaches_those_whom_another_committed_for(
    writer: Writer, commits: Commits
) -> None:
    commits.problem = LookupError("a bug")
    raised: list[BaseException] = []

    def write() -> None:
        try:
            writer.write(some())
        except LookupError as problem:
            raised.append(problem)

    threads = [in_thread(write) for _ in range(4)]
    until(lambda: len(writer._queue) == 3)
    commits.gate.set()
    for thread in threads:
        thread.join(10)
    assert len(raised) == 4
    commits.problem = None
    assert writer.write(some(5)) == 5


def test_an_interrupted_caller_leaves_its_commit_to_the_others(writer: Writer, commits: Commits) -> None:
    """Two more came during its commit: they are committed by one of themselves, and it is told nothing."""
    commits.interruption = Interrupted()
    raised: list[BaseException] = []
    answers: list[int] = []

    def write() -> None:
        try:
            writer.write(some(9))
        except Interrupted as problem:
            raised.append(problem)

    leader = in_thread(write)
    assert commits.entered.wait(10)
    others = [in_thread(lambda count=count: answers.append(writer.write(some(count)))) for count in (2, 3)]
    until(lambda: len(writer._queue) == 2)
    commits.gate.set()
    for thread in (leader, *others):
        thread.join(10)
    assert len(raised) == 1
    assert sorted(answers) == [2, 3]
    assert not writer._queue
    assert writer._queued_bytes == 0


def test_one_who_is_interrupted_while_it_waits_is_not_committed(
    writer: Writer, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = writer.submit(some(1))
    assert commits.entered.wait(10)
    monkeypatch.setattr(module._Bell, "wait", _interrupt)
    with pytest.raises(Interrupted):
        writer.write(some(2))
    monkeypatch.undo()
    commits.gate.set()
    assert (first.result(10), writer.write(some(3))) == (1, 3)
    assert commits.events == [1, 3]


def _interrupt(bell: object, seconds: float = 0) -> None:
    raise Interrupted


def test_a_wake_that_is_lost_is_made_up_for(
    writer: Writer, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if whoever was to wake the next had been interrupted just then."""
    monkeypatch.setattr(module._Bell.wait, "__defaults__", (0.02,))
    monkeypatch.setattr(writer, "_wake_next", lambda: None)
    answers: list[int] = []
    threads = [in_thread(lambda count=count: answers.append(writer.write(some(count)))) for count in (1, 2)]
    until(lambda: len(writer._queue) == 1)
    commits.gate.set()
    for thread in threads:
        thread.join(10)
    assert sorted(answers) == [1, 2]


def test_closing_waits_for_the_commit_and_answers_those_who_queue(writer: Writer, commits: Commits) -> None:
    answers: list[int] = []
    threads = [
        in_thread(lambda count=count: answers.append(writer.write(some(count)))) for count in (1, 2, 3)
    ]
    until(lambda: len(writer._queue) == 2)
    closing = in_thread(writer.close)
    until(lambda: writer._closed)
    assert not commits.ended
    commits.gate.set()
    for thread in (*threads, closing):
        thread.join(10)
    assert sorted(answers) == [1, 2, 3]
    assert commits.ended
    writer.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        writer.write(some())


def test_callers_are_committed_in_the_order_in_which_they_came(
    writer: Writer, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So none starves, also where not all that wait fit into one commit."""
    monkeypatch.setattr(module, "COMMIT_EVENTS", 5)
    threads = []
    for count in range(1, 8):
        threads.append(in_thread(lambda count=count: writer.write(some(count))))
        until(lambda count=count: len(writer._queue) == count - 1)
        assert commits.entered.wait(10)
    commits.gate.set()
    for thread in threads:
        thread.join(10)
    assert commits.events == list(range(1, 8))
    assert commits.sizes == [1, 2, 2, 1, 1]


def test_an_append_that_fails_a_whole_commit_fails_alone(
    writer: Writer, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_two(appends: Sequence[Append]) -> list[int]:
        positions = commits(appends)
        if 2 in positions:
            raise LookupError(len(appends))
        return positions

    monkeypatch.setattr(writer, "_commit", refuse_two)
    first = writer.submit(some())
    assert commits.entered.wait(10)
    one, two, three = (writer.submit(some(count)) for count in (1, 2, 3))
    commits.gate.set()
    assert (first.result(10), one.result(10), three.result(10)) == (1, 1, 3)
    with pytest.raises(LookupError, match="1"):
        two.result(10)


@pytest.mark.parametrize("told", ["answered", "cancelled"])
def test_a_future_that_was_told_by_one_who_was_interrupted_then_is_dropped(told: str) -> None:
    """Else whoever commits next would stumble over it, and so would everybody after them."""
    future: Future[int] = Future()
    queued = module._Queued(some(), module._Bell(), future)
    if told == "answered":
        future.set_result(7)
    else:
        assert future.cancel()
        future.set_running_or_notify_cancel()
    assert not queued.begin()
    assert queued.outcome is not None


def test_a_thread_that_has_died_is_replaced(
    writer: Writer, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_run", lambda: None)
    left = writer.submit(some(1))
    assert writer._thread is not None
    writer._thread.join(10)
    monkeypatch.undo()
    commits.gate.set()
    assert [future.result(10) for future in (writer.submit(some(2)), left)] == [2, 1]


def test_closing_that_was_interrupted_is_made_up_for(
    writer: Writer, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_run", lambda: None)
    left = writer.submit(some())
    commits.gate.set()
    commits.interruption = Interrupted()
    with pytest.raises(Interrupted):
        writer.close()
    assert (left.done(), commits.ended) == (False, False)
    writer.close()
    assert (left.result(0), commits.ended) == (1, True)


def test_what_is_called_past_the_queue_keeps_commits_away_and_wakes_them_after(
    writer: Writer, commits: Commits
) -> None:
    commits.gate.set()
    inside, leave = threading.Event(), threading.Event()
    answers: list[int | None] = []

    def read(given: int) -> int:
        inside.set()
        leave.wait(10)
        return given

    reading = in_thread(lambda: answers.append(writer.alone(read, 5)))
    assert inside.wait(10)
    assert writer.alone(read, 6) is None
    writing = in_thread(lambda: answers.append(writer.write(some(7))))
    until(lambda: len(writer._queue) == 1)
    assert not commits.events
    leave.set()
    for thread in (reading, writing):
        thread.join(10)
    assert sorted(filter(None, answers)) == [5, 7]


def test_the_order_of_the_calls_is_the_order_of_the_commits(writer: Writer, commits: Commits) -> None:
    futures = [writer.submit(some(count)) for count in range(1, 30)]
    commits.gate.set()
    assert [future.result(10) for future in futures] == list(range(1, 30))
    assert commits.events == list(range(1, 30))


FORK = """
import os
from tests.tracker.store.test_writer import some
from runledger.tracker.errors import StoreBusy, StoreUnavailable
from runledger.tracker.store.writer import Writer

writer = Writer("the ledger", lambda appends: [1 for _ in appends], lambda: print("let go", flush=True))
assert writer.write(some()) == 1
with writer._committing:
    if os.fork() == 0:
        try:
            writer.write(some())
        except StoreUnavailable as problem:
            print(problem, flush=True)
        writer.close()
        os._exit(0)
    os.wait()
assert writer.write(some()) == 1
"""


def test_a_writer_that_a_fork_has_copied_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=True
    )
    assert "before a fork" in done.stdout
    assert "let go" not in done.stdout
