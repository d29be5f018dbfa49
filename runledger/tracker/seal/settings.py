"""Where seals go outside of the database, with which key they are signed, and how often."""

from __future__ import annotations

from pathlib import Path

import msgspec

from runledger.tracker.settings import StorageSettings


class SealSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from RUNLEDGER_SEALS_URL and the like."""

    seals_url: str | None = None
    """Where a copy of each seal lies outside of the database: `file://…`, `s3://bucket/prefix`, any place of
    fsspec; by default `seals` in the data folder. What cannot be deleted there cannot be denied."""
    seal_key: Path | None = None
    """File of the private key that signs seals, made where there is none; by default `seal.key` in the data
    folder. Never in the database."""
    seal_trusted: Path | None = None
    """File with public keys, one a line, whose seals are believed and built on too: of keys that were in use
    before this one."""
    seal_seconds: float = 10.0
    """Least time between two seals; an event is sealed no later than this after it was appended, and a
    second after it where all was quiet before."""

    def __post_init__(self) -> None:
        if not self.seal_seconds > 0:
            raise ValueError("seal_seconds must be positive")

    def place(self, storage: StorageSettings) -> str:
        return self.seals_url or f"file://{storage.data.absolute() / 'seals'}"

    def key(self, storage: StorageSettings) -> Path:
        return self.seal_key or storage.data.absolute() / "seal.key"
