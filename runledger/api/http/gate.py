"""How much of telemetry is in the house at a time: more is refused at once, so memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runledger.api.errors import TooMuchWaits

LEAST_WEIGHT = 16 * 1024
"""A request costs memory whatever its size: this bounds their number, too."""


class Gate:
    """Used on the event loop only, so it needs no lock."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self.bytes_inside = 0

    @contextmanager
    def admit(self, size_bytes: int) -> Iterator[None]:
        """For as long as a request is being answered. Raises `TooMuchWaits`; one alone always gets in."""
        weight = max(size_bytes, LEAST_WEIGHT)
        if self.bytes_inside and self.bytes_inside + weight > self._limit_bytes:
            raise TooMuchWaits
        self.bytes_inside += weight
        try:
            yield
        finally:
            self.bytes_inside -= weight
