"""The courier's settings, read once from the environment when it starts."""

from __future__ import annotations

import msgspec


class CourierSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Set for it by `runledger.run`."""

    url: str = "http://127.0.0.1:8600"
    """The tracker's address."""
    token: str | None = None
    """Sent as bearer token."""
    flush_seconds: float = 60.0
    """How long a courier tries to ship what is left after its training has ended; then `runledger sync`."""
    lease_seconds: float = 30.0
    """How long a courier may be silent before its attempt is lost."""

    def __post_init__(self) -> None:
        if not self.flush_seconds >= 0 or not 1 <= self.lease_seconds <= 3_600:
            raise ValueError("flush_seconds must not be negative, lease_seconds from 1 to 3600")
