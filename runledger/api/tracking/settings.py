"""The settings of a run in one's own process, read when it begins."""

from __future__ import annotations

from pathlib import Path

import msgspec


class TrackingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where its tracker is and where its journal lies. Arguments of `runledger.run` come first."""

    url: str | None = None
    """By default the address that `up` binds."""
    token: str | None = None
    """Sent as bearer token; made by `runledger token create`."""
    host: str = "127.0.0.1"
    """The address that `up` binds."""
    port: int = 8600
    """The port that `up` binds."""
    offline: bool = False
    """Speaks to no tracker: `runledger sync` tells it later."""
    run_id: str | None = None
    """The run to begin or to go on with, 32 hexadecimal digits; for jobs that are queued again."""
    journals: Path = Path(".runledger/journals")
    """Where journals and checkpoints lie until the tracker has them; relative to where the script starts."""
    flush_seconds: float = 60.0
    """How long a courier tries to ship what is left after its training has ended; then `runledger sync`."""

    def __post_init__(self) -> None:
        if not self.flush_seconds >= 0:
            raise ValueError("flush_seconds must not be negative, and a number")

    @property
    def address(self) -> str:
        return (self.url or f"http://{self.host}:{self.port}").rstrip("/")
