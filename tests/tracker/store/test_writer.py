"""Group commit: what waits is bounded, and whatever a commit raises reaches its callers only."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from tests.tracker.store.samples import noted, to
from tracker.errors import StoreUnavailable
from tracker.store import writer as module
from tracker.store.appends import Append, prepare
from tracker.store.writer import Writer


class Commits:
    """Stands for the database: holds commits up until it is let go, and notes their sizes."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.problem: Exception | None = None
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.ended = False

    def __call__(self, appends: Sequence[Append]) -> list[int]:
        self.entered.set()
        self.gate.wait(10)
        if self.problem is not None:
            raise self.problem
        self.sizes.append(len(appends))
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
