"""Everything that `tracker` raises on purpose.

TrackerError
├── Refused                     a command that the state of its aggregate does not allow
├── NotFound                    an aggregate that has no events
├── WrongExpectedVersion        somebody else appended to the stream first
├── Fenced                      the lease under which a fact was to be written is not held any more
├── UnknownEvent                a tag or schema this code does not know
├── BadInput                    a value that does not fit, with the place where it stands
├── BlobMissing, BlobCorrupt
├── BadSetting                  a variable of the environment that is missing or does not fit
├── GaveUp                      told to stop trying before it worked
└── StoreUnavailable            the database cannot be reached or written
    └── StoreBusy               more waits to be written than may wait
"""

from __future__ import annotations

from uuid import UUID


class TrackerError(Exception):
    """Base of all errors of this package."""


class Refused(TrackerError):
    """The command is not allowed in the state that its aggregate is in. Leaves name the rule."""


class NotFound(TrackerError):
    """No such aggregate."""

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"no {kind} {id!r}")
        self.kind = kind
        self.id = id


class WrongExpectedVersion(TrackerError):
    """The stream is not at the version that the writer had read."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"stream {stream} is at version {actual}, not {expected}")
        self.stream = stream
        self.expected = expected
        self.actual = actual


class EventIdTaken(TrackerError):
    """Another event of the log bears this id already: ids are made once and never reused."""

    def __init__(self, event_id: UUID, stream: str) -> None:
        super().__init__(f"event id {event_id} is taken by an event of stream {stream}")
        self.event_id = event_id
        self.stream = stream


class CursorMoved(TrackerError):
    """Another consumer of the same name has moved the cursor on."""

    def __init__(self, name: str, expected: int) -> None:
        super().__init__(f"cursor {name} is not at {expected} any more")
        self.name = name
        self.expected = expected


class Fenced(TrackerError):
    """The lease of this epoch is not held any more: another attempt has taken over."""

    def __init__(self, stream: str, epoch: int) -> None:
        super().__init__(f"the lease on {stream} has moved on from epoch {epoch}")
        self.stream = stream
        self.epoch = epoch


class UnknownEvent(TrackerError):
    """An event that this version of the code cannot read."""

    def __init__(self, tag: str, schema: int, position: int | None = None) -> None:
        at = "" if position is None else f" at position {position}"
        super().__init__(f"unknown event {tag} schema {schema}{at}: a newer version wrote it?")
        self.tag = tag
        self.schema = schema
        self.position = position


class BadInput(TrackerError):
    """A value does not fit; `place` says where it stands (`$.limits.attempts`, `line 17`)."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem


class BlobMissing(TrackerError):
    """No blob has this digest."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"no blob {digest}")
        self.digest = digest


class BlobCorrupt(TrackerError):
    """The stored bytes do not have the digest that names them."""

    def __init__(self, digest: str, actual: str) -> None:
        super().__init__(f"blob {digest} has the digest {actual}")
        self.digest = digest
        self.actual = actual


class JournalBroken(TrackerError):
    """The journal of an attempt cannot be written any more; `problem` is the system's reason."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class BadSetting(TrackerError):
    """A variable of the environment is missing or does not fit."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable}: {problem}")
        self.variable = variable
        self.problem = problem


class GaveUp(TrackerError):
    """Told to stop trying before it worked."""


class StoreUnavailable(TrackerError):
    """The database cannot be reached or written; `problem` is the driver's reason."""

    def __init__(self, target: str, problem: str) -> None:
        super().__init__(f"{target}: {problem}")
        self.target = target
        self.problem = problem


class StoreBusy(StoreUnavailable):
    """More appends wait for the database than may wait; later there will be room again."""
