"""What every part of a worker works with; built once, at the entry point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from runledger.tracker.blobs import Blobs
from runledger.tracker.dispatch import Dispatcher
from runledger.tracker.envelope import Metadata
from runledger.tracker.ids import WorkerId
from runledger.tracker.store.announcements import Worker
from runledger.tracker.store.log import Log
from runledger.trainer.recipes import Found
from runledger.trainer.scorers import FoundScorer
from runledger.trainer.settings import TrainerSettings


def now() -> datetime:
    return datetime.now(UTC)


class Services(msgspec.Struct, frozen=True, kw_only=True):
    log: Log
    blobs: Blobs
    dispatcher: Dispatcher
    settings: TrainerSettings
    worker: Worker
    """As it is announced."""
    recipes: tuple[Found, ...]
    """Those that can be executed here."""
    scorers: tuple[FoundScorer, ...] = ()
    data: Path
    """The worker's own folder: attempts and caches."""
    environ: Mapping[str, str]
    clock: Callable[[], datetime] = now

    @property
    def worker_id(self) -> WorkerId:
        return self.worker.worker_id

    @property
    def metadata(self) -> Metadata:
        return Metadata(actor=f"worker:{self.worker_id}")

    @property
    def attempts(self) -> Path:
        return self.data / "attempts"

    @property
    def quarantine(self) -> Path:
        """What could not be told, one file an attempt."""
        return self.data / "quarantine"

    @property
    def datasets(self) -> Path:
        return self.data / "cache" / "datasets"

    @property
    def compilations(self) -> Path:
        return self.data / "cache" / "jax"

    def recipe(self, name: str, digest: str) -> Found | None:
        return next((found for found in self.recipes if (found.name, found.digest) == (name, digest)), None)

    def scorer(self, name: str, version: int) -> FoundScorer | None:
        found = (each for each in self.scorers if (each.name, each.version) == (name, version))
        return next(found, None)
