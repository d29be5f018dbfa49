"""The one write path for decisions: load, decide, append, and once more if somebody else was first.

`dispatch` is for one command, `dispatch_all` for several, possibly of several aggregates, appended
together or not at all. `record` is the path for telemetry: no decision, no folding. A command that
repeats what is already so appends nothing, and then `within` does not run either.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

import msgspec

from runledger.tracker import events
from runledger.tracker.aggregates import registry
from runledger.tracker.aggregates.registry import Aggregate, AnyCommand
from runledger.tracker.envelope import Fence, Metadata, NewEvent, Recorded, Write
from runledger.tracker.errors import BadInput, Fenced, NotFound, TrackerError, WrongExpectedVersion
from runledger.tracker.events.base import Event
from runledger.tracker.ids import Stream, new_event_id
from runledger.tracker.states import Folded, States

MAX_TRIES = 8
"""How often a decision is taken anew because the stream had moved on meanwhile."""
TURN_SECONDS = 1.0
"""Whoever has waited so long for its turn takes it: another was interrupted, or the database is slow."""

State = TypeVar("State")


class EventLog(Protocol):
    """What dispatching needs of a log: `tracker.store.log.Log`, or one in memory."""

    def append(
        self,
        *writes: Write,
        fence: Fence | None = None,
        within: Callable[[Any], None] | None = None,
    ) -> int:
        """All or nothing; the position of the last event."""

    def read(self, stream: Stream, *, after: int = 0, limit: int | None = None) -> list[Recorded]:
        """The stream's events in order."""

    def read_on(self, stream: Stream, version: int, event_id: UUID) -> list[Recorded] | None:
        """What follows in the stream on this very event, at this version; None where it is not there."""

    def head(self) -> int:
        """The position of the last event of the log; 0 for an empty one."""


class Dispatched(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came of a command. Of several: position of the last event, stream and version of the first."""

    position: int
    """Readers that have seen it have seen this: the head where nothing had to be appended."""
    stream: Stream
    version: int
    events: tuple[Event, ...]


class _Unknown(Exception):
    """No state of a moment ago."""


class _Pending:
    """A stream as it will be once the decisions taken so far are appended."""

    __slots__ = ("aggregate", "events", "folded", "last_id", "payloads", "state", "stream")

    def __init__(self, aggregate: Aggregate[Any], stream: Stream, folded: Folded) -> None:
        self.aggregate = aggregate
        self.stream = stream
        self.folded = folded
        self.state = folded.state
        self.events: list[Event] = []
        self.payloads: list[bytes] = []
        self.last_id = folded.event_id

    @property
    def version(self) -> int:
        return self.folded.version + len(self.events)

    def decide(self, command: AnyCommand) -> None:
        for event in self.aggregate.decide(self.state, command):
            self.payloads.append(_encode(event))
            self.state = self.aggregate.evolve(self.state, event)
            self.events.append(event)

    def write(self, new_event_id: Callable[[], UUID], metadata: Metadata, occurred_at: datetime) -> Write:
        events = [
            NewEvent(event_id=new_event_id(), event=event, occurred_at=occurred_at, metadata=metadata)
            for event in self.events
        ]
        self.last_id = events[-1].event_id
        return Write(
            stream=self.stream,
            expected_version=self.folded.version,
            events=tuple(events),
            follows=self.folded.event_id if self.folded.version else None,
            payloads=tuple(self.payloads),
        )

    def appended(self, known_at: float) -> Folded:
        """What the stream has come to once it is written."""
        size_bytes = self.folded.size_bytes + sum(map(len, self.payloads))
        return Folded(self.version, self.last_id, size_bytes, self.state, known_at)


class _Turns:
    """One decision at a time on each stream, of this process: taken at once they would refuse each other.

    Nothing rests on it but the number of tries. A turn is a lock that its holder has made.
    """

    def __init__(self) -> None:
        self._held: dict[Stream, threading.Lock] = {}

    def take(self, stream: Stream) -> threading.Lock:
        mine = threading.Lock()
        mine.acquire()
        while (other := self._held.setdefault(stream, mine)) is not mine:
            if other.acquire(timeout=TURN_SECONDS):
                other.release()
            elif self._held.get(stream) is other:
                self._held.pop(stream, None)
        return mine

    def give_back(self, stream: Stream, mine: threading.Lock) -> None:
        if self._held.get(stream) is mine:
            self._held.pop(stream, None)
        mine.release()


class Dispatcher:
    """Takes decisions on a log. Safe to share between threads if the log is."""

    def __init__(
        self,
        log: EventLog,
        *,
        clock: Callable[[], datetime],
        new_event_id: Callable[[], UUID] = new_event_id,
    ) -> None:
        self._log = log
        self._clock = clock
        self._new_event_id = new_event_id
        self._states = States(log)
        self._turns = _Turns()

    def dispatch(
        self,
        command: AnyCommand,
        metadata: Metadata,
        *,
        fence: Fence | None = None,
        within: Callable[[Any], None] | None = None,
        expected_version: int | None = None,
        occurred_at: datetime | None = None,
    ) -> Dispatched:
        """Decide on one command. With `expected_version` the stream must be at that very version.

        `occurred_at` is when it happened, by the clock of whoever tells it later than that. Raises what
        `decide` raises, `WrongExpectedVersion`, `Fenced` and `StoreUnavailable`.
        """
        return self._dispatch((command,), metadata, fence, within, expected_version, occurred_at)

    def dispatch_all(
        self,
        *commands: AnyCommand,
        metadata: Metadata,
        fence: Fence | None = None,
        within: Callable[[Any], None] | None = None,
        expected_version: int | None = None,
        occurred_at: datetime | None = None,
    ) -> Dispatched:
        """Decide on each command in the state that those before it leave; append all of it at once.

        With `expected_version` every stream that is named must be at that very version: for several commands
        to one aggregate.
        """
        if not commands:
            raise ValueError("nothing to dispatch")
        return self._dispatch(commands, metadata, fence, within, expected_version, occurred_at)

    def record(
        self,
        stream: Stream,
        expected_version: int,
        events: Sequence[NewEvent],
        *,
        fence: Fence | None = None,
    ) -> int:
        """Append telemetry; its ids are the writer's, so that the same batch again changes nothing."""
        write = Write(stream=stream, expected_version=expected_version, events=tuple(events))
        return self._log.append(write, fence=fence)

    def find(self, aggregate: Aggregate[State], id: str) -> State | None:
        """The state after all events, or None for an aggregate that has none."""
        state: State | None = self._states.at(aggregate, aggregate.stream(id)).state
        return state

    def load(self, aggregate: Aggregate[State], id: str) -> State:
        """The state after all events. Raises `NotFound`."""
        state = self.find(aggregate, id)
        if state is None:
            raise NotFound(aggregate.kind, id)
        return state

    def _dispatch(
        self,
        commands: Sequence[AnyCommand],
        metadata: Metadata,
        fence: Fence | None,
        within: Callable[[Any], None] | None,
        expected_version: int | None,
        occurred_at: datetime | None,
    ) -> Dispatched:
        if within is not None:
            return self._dispatch_read(commands, metadata, fence, within, expected_version, occurred_at)
        stream = registry.of(commands[0])[1]
        turn = self._turns.take(stream)
        try:
            done = self._dispatch_unread(commands, metadata, fence, expected_version, occurred_at)
            if done is None:
                done = self._dispatch_read(commands, metadata, fence, None, expected_version, occurred_at)
        finally:
            self._turns.give_back(stream, turn)
        return done

    def _dispatch_read(
        self,
        commands: Sequence[AnyCommand],
        metadata: Metadata,
        fence: Fence | None,
        within: Callable[[Any], None] | None,
        expected_version: int | None,
        occurred_at: datetime | None,
    ) -> Dispatched:
        for tries_left in reversed(range(MAX_TRIES)):
            pending = self._decide(commands, expected_version, self._states.at)
            try:
                return self._append(pending, metadata, fence, within, occurred_at or self._clock())
            except WrongExpectedVersion:
                if expected_version is not None or not tries_left:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")

    def _dispatch_unread(
        self,
        commands: Sequence[AnyCommand],
        metadata: Metadata,
        fence: Fence | None,
        expected_version: int | None,
        occurred_at: datetime | None,
    ) -> Dispatched | None:
        """On the states of a moment ago, which the append checks; None where they settle nothing.

        A refusal, and that something is so already, is said only of what has been read.
        """
        try:
            pending = self._decide(commands, expected_version, self._recent)
        except (TrackerError, _Unknown):
            return None
        if not all(each.events for each in pending):
            return None
        try:
            return self._append(pending, metadata, fence, None, occurred_at or self._clock())
        except (WrongExpectedVersion, Fenced):
            return None

    def _recent(self, aggregate: Aggregate[Any], stream: Stream) -> Folded:
        folded = self._states.recent(stream)
        if folded is None:
            raise _Unknown
        return folded

    def _decide(
        self,
        commands: Sequence[AnyCommand],
        expected_version: int | None,
        look_up: Callable[[Aggregate[Any], Stream], Folded],
    ) -> list[_Pending]:
        pending: dict[Stream, _Pending] = {}
        for command in commands:
            aggregate, stream = registry.of(command)
            each = pending.get(stream)
            if each is None:
                each = pending[stream] = _Pending(aggregate, stream, look_up(aggregate, stream))
                _check_version(each, expected_version)
            each.decide(command)
        return list(pending.values())

    def _append(
        self,
        pending: Sequence[_Pending],
        metadata: Metadata,
        fence: Fence | None,
        within: Callable[[Any], None] | None,
        occurred_at: datetime,
    ) -> Dispatched:
        new_id = self._new_event_id
        writes = [each.write(new_id, metadata, occurred_at) for each in pending if each.events]
        position = self._log.append(*writes, fence=fence, within=within) if writes else self._log.head()
        now = self._states.clock()
        events: list[Event] = []
        for each in pending:
            if each.events:
                events += each.events
                self._states.keep(each.stream, each.appended(now))
        first = pending[0]
        return Dispatched(position=position, stream=first.stream, version=first.version, events=tuple(events))


def _check_version(pending: _Pending, expected_version: int | None) -> None:
    if expected_version is not None and pending.folded.version != expected_version:
        raise WrongExpectedVersion(pending.stream, expected_version, pending.folded.version)


def _encode(event: Event) -> bytes:
    """JSON knows integers and texts that the log does not: refused here, wherever they stand."""
    try:
        return events.encode(event)
    except OverflowError:
        raise BadInput("$", "an integer does not fit into 64 bits") from None
    except UnicodeEncodeError:
        raise BadInput("$", "a text is not valid Unicode") from None
