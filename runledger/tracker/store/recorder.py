"""The eventsourcing library's recorders over the log: its protocol, our tables and our guarantees.

A stored event becomes a row of the log with an envelope of its own; a UUID as originator becomes the
stream `uuid-<hex>`, a text the stream of that name. Tracking is a cursor that only moves forwards. Not
here: snapshots, because our streams stay short, and creating tables, because migrations do that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, cast
from uuid import UUID, uuid4

import msgspec
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    InfrastructureFactoryError,
    IntegrityError,
    Notification,
    NotSupportedError,
    OperationalError,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    Tracking,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType, resolve_topic
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from runledger.tracker.envelope import Metadata, NewEvent, Write
from runledger.tracker.errors import StoreUnavailable, WrongExpectedVersion
from runledger.tracker.events.base import Event
from runledger.tracker.ids import Stream
from runledger.tracker.store.appends import Append
from runledger.tracker.store.engine import is_postgresql, open_ledger, read, write
from runledger.tracker.store.log import Log
from runledger.tracker.store.tables import cursors, events

POLL_SECONDS = 0.05
PAGE_NOTIFICATIONS = 500
TRACKED = "application:"
"""Before the name of a tracked application, so that it meets no other consumer's cursor."""


class _Opaque(msgspec.Struct, frozen=True):
    """Stands for an event whose bytes somebody else encodes: all that the log asks of it is its name."""

    tag: str
    schema: int = 1


class LedgerAggregateRecorder(AggregateRecorder):
    """Inserts and selects the events of one aggregate."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """All or none. `metadata` (ours) says who and why. Raises the library's `IntegrityError`."""
        self._insert(stored_events, _nothing_else, **kwargs)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        version = events.c.version
        statement = select(version, events.c.type, events.c.payload)
        statement = statement.where(events.c.stream == _stream_of(originator_id))
        if gt is not None:
            statement = statement.where(version > gt)
        if lte is not None:
            statement = statement.where(version <= lte)
        statement = statement.order_by(version.desc() if desc else version).limit(limit)
        with _translated(), read(self.log.engine) as conn:
            return [StoredEvent(originator_id, *row) for row in conn.execute(statement)]

    def _insert(
        self,
        stored_events: Sequence[StoredEvent],
        within: Callable[[Connection], None],
        *,
        metadata: Metadata | None = None,
    ) -> Sequence[int]:
        if not stored_events:
            with _translated(), write(self.log.engine) as conn:
                within(conn)
            return []
        append = _append_of(stored_events, metadata or Metadata(actor="application"))
        with _translated():
            last = self.log.put(append, within)
        return list(range(last - len(stored_events) + 1, last + 1))


class LedgerApplicationRecorder(LedgerAggregateRecorder, ApplicationRecorder):
    """Positions of the log are the ids of the notifications."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        return self._insert(stored_events, _nothing_else, **kwargs)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        position = events.c.position
        statement = select(events.c.stream, events.c.version, events.c.type, events.c.payload, position)
        if start is not None:
            statement = statement.where(position >= start if inclusive_of_start else position > start)
        if stop is not None:
            statement = statement.where(position <= stop)
        if topics:
            statement = statement.where(events.c.type.in_(topics))
        with _translated(), read(self.log.engine) as conn:
            rows = conn.execute(statement.order_by(position).limit(limit))
            return [Notification(_originator_of(stream), *rest) for stream, *rest in rows]

    def max_notification_id(self) -> int | None:
        with _translated():
            return self.log.head() or None

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        return PollingSubscription(self, gt=gt, topics=topics)


class LedgerTrackingRecorder(TrackingRecorder):
    """How far other logs were followed."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def insert_tracking(self, tracking: Tracking) -> None:
        """Raises the library's `IntegrityError` unless it goes forwards."""
        with _translated(), write(self.log.engine) as conn:
            _track(conn, tracking)

    def max_tracking_id(self, application_name: str) -> int | None:
        statement = select(cursors.c.position).where(cursors.c.name == TRACKED + application_name)
        with _translated(), read(self.log.engine) as conn:
            position: int | None = conn.scalar(statement)
        return position


class LedgerProcessRecorder(LedgerTrackingRecorder, LedgerApplicationRecorder, ProcessRecorder):
    """What follows from a foreign event and the note that it was dealt with, in one transaction."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        tracking: Tracking | None = kwargs.pop("tracking", None)
        if tracking is None:
            return self._insert(stored_events, _nothing_else, **kwargs)
        return self._insert(stored_events, lambda conn: _track(conn, tracking), **kwargs)


class PollingSubscription(Subscription[ApplicationRecorder]):
    """Reads on from a position; works alike on both databases."""

    def __init__(
        self, recorder: ApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()
    ) -> None:
        super().__init__(recorder, gt=gt, topics=topics)
        self._page: list[Notification] = []
        self._stopped = threading.Event()

    def stop(self) -> None:
        super().stop()
        self._stopped.set()

    def __next__(self) -> Notification:
        while not self._stopped.is_set():
            if self._page:
                notification = self._page.pop(0)
                self._last_notification_id = notification.id
                return notification
            self._page = self._pull()
            if not self._page:
                self._stopped.wait(POLL_SECONDS)
        raise StopIteration

    def _pull(self) -> list[Notification]:
        return list(
            self._recorder.select_notifications(
                start=self._last_notification_id,
                limit=PAGE_NOTIFICATIONS,
                topics=self._topics,
                inclusive_of_start=False,
            )
        )


class LedgerFactory(InfrastructureFactory[LedgerTrackingRecorder]):
    """`PERSISTENCE_MODULE=runledger.tracker.store.recorder`; `LEDGER_URL` names a migrated ledger."""

    LEDGER_URL = "LEDGER_URL"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        url = self.env.get(self.LEDGER_URL)
        if not url:
            raise InfrastructureFactoryError(f"{self.LEDGER_URL} is not set")
        self._engine = open_ledger(url)
        self._log = Log(self._engine)

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        if purpose != "events":
            raise NotSupportedError(f"the ledger keeps no {purpose}")
        return LedgerAggregateRecorder(self._log)

    def application_recorder(self) -> ApplicationRecorder:
        return LedgerApplicationRecorder(self._log)

    def tracking_recorder(
        self, tracking_recorder_class: type[LedgerTrackingRecorder] | None = None
    ) -> LedgerTrackingRecorder:
        topic = self.env.get(self.TRACKING_RECORDER_TOPIC)
        if tracking_recorder_class is None and topic:
            tracking_recorder_class = resolve_topic(topic)
        return (tracking_recorder_class or LedgerTrackingRecorder)(self._log)

    def process_recorder(self) -> ProcessRecorder:
        return LedgerProcessRecorder(self._log)

    def close(self) -> None:
        self._log.close()
        self._engine.dispose()


class _translated:  # noqa: N801 - reads as the statement it makes
    """Our errors as the library's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, WrongExpectedVersion):
            raise IntegrityError(str(problem)) from problem
        if isinstance(problem, StoreUnavailable):
            raise OperationalError(str(problem)) from problem


def _nothing_else(conn: Connection) -> None:
    """No more in this transaction."""


def _track(conn: Connection, tracking: Tracking) -> None:
    """One statement, so of two that follow the same log only one gets on."""
    dialect = postgresql if is_postgresql(conn.engine) else sqlite
    name, position = TRACKED + tracking.application_name, tracking.notification_id
    statement = (
        dialect.insert(cursors)
        .values(name=name, position=position)
        .on_conflict_do_update(
            index_elements=["name"], set_={"position": position}, where=cursors.c.position < position
        )
        .returning(cursors.c.position)
    )
    if conn.execute(statement).first() is None:
        raise IntegrityError(f"{tracking.application_name} has been followed to {position} or beyond")


def _stream_of(originator_id: UUID | str) -> Stream:
    return Stream(f"uuid-{originator_id.hex}" if isinstance(originator_id, UUID) else originator_id)


def _originator_of(stream: str) -> UUID | str:
    return UUID(stream[5:]) if stream.startswith("uuid-") else stream


def _append_of(stored_events: Sequence[StoredEvent], metadata: Metadata) -> Append:
    """In the given order; a stream of the library's may begin at version 0."""
    writes, payloads = [], []
    for originator_id, group in groupby(stored_events, key=lambda stored: stored.originator_id):
        each = list(group)
        writes.append(_write_of(_stream_of(originator_id), each, metadata))
        payloads.append(tuple(stored.state for stored in each))
    return Append(
        writes=tuple(writes),
        payloads=tuple(payloads),
        fence=None,
        size_bytes=sum(len(stored.state) for stored in stored_events),
        event_count=len(stored_events),
        first_version=min(1, *(stored.originator_version for stored in stored_events)),
    )


def _write_of(stream: Stream, stored_events: Sequence[StoredEvent], metadata: Metadata) -> Write:
    first = stored_events[0].originator_version
    for version, stored in enumerate(stored_events, first):
        if stored.originator_version != version:
            raise IntegrityError(
                f"{stream}: version {stored.originator_version} does not follow {version - 1}"
            )
    now = datetime.now(UTC)
    return Write(
        stream=stream,
        expected_version=first - 1,
        events=tuple(
            NewEvent(
                event_id=uuid4(),
                event=cast(Event, _Opaque(stored.topic)),
                occurred_at=now,
                metadata=metadata,
            )
            for stored in stored_events
        ),
    )
