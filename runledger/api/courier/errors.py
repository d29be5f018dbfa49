"""What a tracker may answer instead of taking a fact.

DoorError
├── NotReachable        nobody answers, or not for the moment: the same again later
│   └── BadAnswer       something answers that is not Runledger
├── Denied              no valid token, or not at this address: the same again, slowly
├── LeaseLost           the epoch does not hold the lease any more
├── Behind              out of order: the server says what it has
├── StartOver           the server has less than it had: the journal is shipped from its start
└── RefusedFact         understood, and never to be taken: the rest goes on without it
    ├── Unknown         the tracker knows nothing of the run or the attempt
    └── AttemptOver     the attempt has ended otherwise, and takes nothing more
"""

from __future__ import annotations


class DoorError(Exception):
    """Base of all errors of the courier."""


class NotReachable(DoorError):
    """Nobody answers, or not for the moment; `retry_after_seconds` is what the server asks for."""

    def __init__(self, url: str, reason: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(f"{url}: {reason}")
        self.url = url
        self.retry_after_seconds = retry_after_seconds


class BadAnswer(NotReachable):
    """Something answers that this client cannot read."""


class Denied(DoorError):
    """The tracker does not let us in: a token is missing or wrong, or the address is not its own."""


class LeaseLost(DoorError):
    """The epoch does not hold the lease any more."""


class Behind(DoorError):
    """The fact does not follow on what the server has; what that is, as far as it says."""

    def __init__(
        self, detail: str, *, version: int | None, batches: int | None, output_bytes: int | None
    ) -> None:
        super().__init__(detail)
        self.version = version
        self.batches = batches
        self.output_bytes = output_bytes


class StartOver(DoorError):
    """The tracker has less of the telemetry than it had: the journal has to be shipped from its start."""


class RefusedFact(DoorError):
    """The tracker understands the fact and does not take it, now or ever."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail or kind or f"status {status}")
        self.status = status
        self.kind = kind
        """The last part of the problem's type, such as `run-ended`."""


class Unknown(RefusedFact):
    """The tracker knows nothing of the run or the attempt: not yet, or not any more."""


class AttemptOver(RefusedFact):
    """The attempt has ended otherwise, and takes nothing more."""
