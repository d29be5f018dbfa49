"""The eventsourcing library's own conformance suite, on both databases.

Everything of `eventsourcing.tests.persistence` that concerns recorders and factories is run, for UUIDs
and for texts as originators; also the subscription test, which the library leaves optional. Left out:

- `TranscoderTestCase` (14 tests): it tests the library's JSON transcoder, of which there is no
  implementation here; payloads are MessagePack and have golden bytes of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import TrackingRecorder
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    InfrastructureFactoryTestCase,
    NonInterleavingNotificationIDsBaseCase,
    ProcessRecorderTestCase,
    TrackingRecorderTestCase,
)
from eventsourcing.utils import Environment

from runledger.tracker.store.engine import open_ledger
from runledger.tracker.store.log import Log
from runledger.tracker.store.recorder import (
    LedgerAggregateRecorder,
    LedgerApplicationRecorder,
    LedgerFactory,
    LedgerProcessRecorder,
    LedgerTrackingRecorder,
)
from tests.conftest import Databases


class OnSqlite:
    """Gives each test a migrated ledger and closes what the test opened."""

    url: str

    @pytest.fixture(autouse=True)
    def _ledger(self, sqlite_databases: Databases) -> Iterator[None]:
        yield from self._use(sqlite_databases)

    def _use(self, databases: Databases) -> Iterator[None]:
        self.url = databases.migrated()[0]
        engine = open_ledger(self.url)
        self.log = Log(engine)
        before = set(threading.enumerate())
        yield
        self.log.close()
        # The suite does not wait for the reading threads that it has started.
        for thread in set(threading.enumerate()) - before:
            thread.join(10)
        engine.dispose()


class OnPostgresql(OnSqlite):
    @pytest.fixture(autouse=True)
    def _ledger(self, postgresql_databases: Databases) -> Iterator[None]:
        yield from self._use(postgresql_databases)


class ByText:
    """Originators that are texts, in place of UUIDs."""

    def new_originator_id(self) -> UUID | str:
        return f"run-{uuid4().hex}"


class AggregateRecorders(AggregateRecorderTestCase):
    log: Log

    def create_recorder(self) -> LedgerAggregateRecorder:
        return LedgerAggregateRecorder(self.log)


class ApplicationRecorders(ApplicationRecorderTestCase[LedgerApplicationRecorder]):
    log: Log

    def create_recorder(self) -> LedgerApplicationRecorder:
        return LedgerApplicationRecorder(self.log)

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TrackingRecorders(TrackingRecorderTestCase):
    log: Log

    def create_recorder(self) -> LedgerTrackingRecorder:
        return LedgerTrackingRecorder(self.log)


class ProcessRecorders(ProcessRecorderTestCase):
    log: Log

    def create_recorder(self) -> LedgerProcessRecorder:
        return LedgerProcessRecorder(self.log)


class NonInterleaving(NonInterleavingNotificationIDsBaseCase):
    log: Log
    insert_num = 1000

    def create_recorder(self) -> LedgerApplicationRecorder:
        return LedgerApplicationRecorder(self.log)


class OwnTrackingRecorder(LedgerTrackingRecorder):
    """A subclass that an application brings along."""


class Factories(InfrastructureFactoryTestCase[LedgerFactory]):
    url: str

    def setUp(self) -> None:
        self.env = Environment("Ledger")
        self.env["PERSISTENCE_MODULE"] = "runledger.tracker.store.recorder"
        self.env["LEDGER_URL"] = self.url
        super().setUp()

    def expected_factory_class(self) -> type[LedgerFactory]:
        return LedgerFactory

    def expected_aggregate_recorder_class(self) -> type[LedgerAggregateRecorder]:
        return LedgerAggregateRecorder

    def expected_application_recorder_class(self) -> type[LedgerApplicationRecorder]:
        return LedgerApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[TrackingRecorder]:
        return LedgerTrackingRecorder

    def tracking_recorder_subclass(self) -> type[TrackingRecorder]:
        return OwnTrackingRecorder

    def expected_process_recorder_class(self) -> type[LedgerProcessRecorder]:
        return LedgerProcessRecorder


BY_ORIGINATOR: tuple[Any, ...] = (AggregateRecorders, ApplicationRecorders, ProcessRecorders, NonInterleaving)
PLAIN: tuple[Any, ...] = (TrackingRecorders, Factories)


def _cases() -> Iterator[tuple[str, type]]:
    """One class for each suite, database and kind of originator, under a name that says so."""
    for database in (OnSqlite, OnPostgresql):
        for suite in (*BY_ORIGINATOR, *PLAIN):
            name = f"Test{suite.__name__}{database.__name__}"
            yield name, type(name, (database, suite), {"__module__": __name__, "__test__": True})
        for suite in BY_ORIGINATOR:
            name = f"Test{suite.__name__}ByText{database.__name__}"
            yield name, type(name, (ByText, database, suite), {"__module__": __name__, "__test__": True})


globals().update(_cases())
# Only the classes made above are to be collected.
for _base in (*BY_ORIGINATOR, *PLAIN):
    _base.__test__ = False
