"""Everything that `api` raises on purpose; `api.http.problems` maps it, and `tracker.errors`, to HTTP.

ApiError
├── BadRequest                  a request that cannot be read: broken JSON
│   └── BadCursor               a page cursor that this API did not give out
├── Unauthorized                no token where one is needed, or one that is not known
├── ForeignOrigin               a web page of somebody else sends this
├── UnknownHost                 the Host header names none of ours
├── UnsupportedContentType      the body is not of the type that the route reads
├── BodyTooLarge
├── Invalid                     values that do not fit, each with its place
├── UnknownRecipe               no announced recipe has this name (or this preset)
├── ExperimentNameTaken
├── KeyReused                   an Idempotency-Key that already stands for another body
├── LeaseLost                   the lease under which an attempt is told is not held (any more)
├── LeaseHeld                   somebody else is taking the lease at this moment
├── AttemptEnded                an attempt that takes nothing more
├── NotNext                     telemetry that does not follow on what the log has of it
├── TooMuchWaits                more telemetry is on its way into the log than may be
├── DigestMismatch              a body that does not have the digest which names it
├── StaleVersion                If-Match names a version that is not the present one
├── RangeNotSatisfiable
├── BeyondHead                  `as_of` is a position or a time that is still to come
└── PositionNotReached          a read model did not get to `after` in time
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from runledger.api.answers import TelemetryPlace


class ApiError(Exception):
    """Base of all errors of this package."""


class BadRequest(ApiError):
    """The request cannot be read at all."""


class BadCursor(BadRequest):
    """`cursor` is not one that a page's `next` gave."""

    def __init__(self) -> None:
        super().__init__("the cursor is not one that a page's `next` gave")


class Unauthorized(ApiError):
    """A bearer token is needed, or the one given is not known (any more)."""


class ForeignOrigin(ApiError):
    """The Origin header names another site: a web page tries to use the API of its visitor."""

    def __init__(self, origin: str) -> None:
        super().__init__(f"requests from pages of {origin} are not accepted")
        self.origin = origin


class UnknownHost(ApiError):
    """The Host header names none of ours; RUNLEDGER_ALLOWED_HOSTS adds names."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"this server is not {host!r}; RUNLEDGER_ALLOWED_HOSTS lists the names it answers to"
        )
        self.host = host


class UnsupportedContentType(ApiError):
    """The route reads another media type."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"the body must be {expected}, not {actual or 'without a content type'}")
        self.expected = expected


class BodyTooLarge(ApiError):
    """The body is longer than the route takes."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the body must be at most {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class Fault(msgspec.Struct, frozen=True):
    """One value that does not fit."""

    place: str
    """`$.limits.attempts` in a body, `query: limit`, `header: If-Match`, `line 17` of an upload."""
    problem: str


class Invalid(ApiError):
    """Values that do not fit, each with its place."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.place}: {fault.problem}" for fault in faults))
        self.faults = tuple(faults)


class UnknownRecipe(ApiError):
    """No worker has announced a recipe of this name, or the recipe has no such preset."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)


class ExperimentNameTaken(ApiError):
    """Another experiment bears this name."""

    def __init__(self, name: str, experiment_id: str) -> None:
        super().__init__(f"experiment {experiment_id} is already called {name!r}")
        self.experiment_id = experiment_id


class KeyReused(ApiError):
    """The Idempotency-Key was used before, with another body."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the Idempotency-Key {key!r} already stands for another request")


class LeaseLost(ApiError):
    """The epoch does not hold the lease on the run: ask for the attempt again, and go on in its new epoch."""

    def __init__(self, run_id: str, attempt: int, epoch: int) -> None:
        super().__init__(f"run {run_id}: attempt {attempt} does not hold the lease in epoch {epoch}")
        self.epoch = epoch


class LeaseHeld(ApiError):
    """Somebody else is taking the lease at this moment: ask again."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id}: others are taking its lease at this moment")


class AttemptEnded(ApiError):
    """The attempt has ended, and takes nothing more."""

    def __init__(self, run_id: str, attempt: int, outcome: str) -> None:
        super().__init__(f"run {run_id}: attempt {attempt} has ended, it is {outcome}")
        self.outcome = outcome


class DigestMismatch(ApiError):
    """The bytes that were sent do not have the digest in the address; nothing was stored."""

    def __init__(self, digest: str, actual: str) -> None:
        super().__init__(f"the body has the digest {actual}, not {digest}")
        self.actual = actual


class StaleVersion(ApiError):
    """If-Match names a version that is not the present one."""

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"version {expected} was expected, but it is at {actual}")
        self.actual = actual


class RangeNotSatisfiable(ApiError):
    """No byte of the range exists."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"no byte of the range lies within {size_bytes} bytes")
        self.size_bytes = size_bytes


class PositionNotReached(ApiError):
    """The read model is still behind the position that the reader asked for."""

    def __init__(self, after: int, position: int) -> None:
        super().__init__(f"the read model is at position {position}, not yet at {after}")
        self.after = after
        self.position = position


class BeyondHead(ApiError):
    """What is asked as of lies behind the end of the log: nothing stands there yet."""

    def __init__(self, moment: str, head: int) -> None:
        super().__init__(f"as_of {moment} is still to come: the log ends at position {head}")
        self.head = head


class NotNext(ApiError):
    """Telemetry does not follow on what the log has of the attempt; `before` says how much that is."""

    def __init__(self, what: str, before: TelemetryPlace) -> None:
        super().__init__(
            f"{what}: the log has {before.batches} batches and {before.output_bytes} bytes of output,"
            f" and the telemetry is at version {before.version}"
        )
        self.before = before


class TooMuchWaits(ApiError):
    """More telemetry is on its way into the log than may be; a little later there is room again."""

    def __init__(self) -> None:
        super().__init__("more telemetry is on its way than may be: send it once more")
