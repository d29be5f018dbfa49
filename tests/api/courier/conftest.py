"""Trackers that listen: one of each test's own on each database, or one on SQLite for all of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.api.courier.journals import WrittenRun
from tests.api.courier.tracker import Asked, Meddler, Tracker, Verdict
from tests.conftest import Databases


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a tracker that is away waits less long than people do."""
    monkeypatch.setattr("runledger.tracker.retrying.FIRST_SECONDS", 0.01)
    monkeypatch.setattr("runledger.tracker.retrying.LAST_SECONDS", 0.1)
    monkeypatch.setattr("runledger.api.courier.heartbeat.AGAIN_SECONDS", 0.1)


@pytest.fixture(scope="module")
def tracker(_sqlite_files: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracker]:
    """One for all tests of a module: each has a run of its own."""
    tracker = Tracker(_sqlite_files.migrated(), tmp_path_factory.mktemp("tracker"))
    yield tracker
    tracker.close()


@pytest.fixture
def tracker_on_each(database_urls: tuple[str, str], tmp_path: Path) -> Iterator[Tracker]:
    """The same on SQLite and on PostgreSQL."""
    tracker = Tracker(database_urls, tmp_path)
    yield tracker
    tracker.close()


@pytest.fixture
def meddle(tracker: Tracker) -> Iterator[Callable[[Callable[[Asked], Verdict]], Meddler]]:
    """Puts somebody between the courier and `tracker`."""
    made: list[Meddler] = []

    def between(judge: Callable[[Asked], Verdict]) -> Meddler:
        made.append(Meddler(tracker.port, judge))
        return made[-1]

    yield between
    for meddler in made:
        meddler.close()


@pytest.fixture
def journals(tmp_path: Path) -> Path:
    return tmp_path / "journals"


@pytest.fixture
def run(journals: Path) -> WrittenRun:
    return WrittenRun(journals)
