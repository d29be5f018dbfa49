"""What an attempt has written down, told over HTTP: under its lease, blobs first.

What the tracker refuses is set aside, and the rest goes on; once another attempt has taken over, nothing
of this one is a fact any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from runledger.api.courier.aside import SetAside
from runledger.api.courier.claim import Claim
from runledger.api.courier.door import Door, Holding, moment
from runledger.api.courier.errors import AttemptOver, RefusedFact, StartOver, Unknown
from runledger.api.courier.tally import Tally
from runledger.api.tracking.folders import AttemptFolder
from runledger.tracker.errors import BlobMissing, Fenced
from runledger.tracker.events.base import Covers
from runledger.tracker.ids import RunId, run_stream
from runledger.tracker.journal import Artifact, Checkpoint, Environment, Evaluated, FactRecord, Params


class Facts:
    """`tracker.shipping.Facts`. Staged files are removed once they are told, but for the last checkpoint."""

    def __init__(
        self, door: Door, claim: Claim, folder: AttemptFolder, aside: SetAside, tally: Tally
    ) -> None:
        self._door = door
        self._claim = claim
        self._folder = folder
        self._aside = aside
        self._tally = tally
        self._saved: str | None = None
        """The digest of the last checkpoint that was told: what a next attempt may go on from."""

    def environment(self, record: Environment) -> None:
        fields = msgspec.structs.asdict(record)
        del fields["time"]
        diff = [record.code_diff_digest] if record.code_diff_digest else []

        def tell(holding: Holding) -> object:
            return self._door.environment(holding, fields, occurred_at=_at(record))

        self._tell(record, tell, diff)

    def params(self, record: Params) -> None:
        def tell(holding: Holding) -> object:
            return self._door.params(holding, record.params, occurred_at=_at(record))

        self._tell(record, tell)

    def artifact(self, record: Artifact) -> None:
        def tell(holding: Holding) -> object:
            return self._door.artifact(
                holding,
                path=record.path,
                digest=record.digest,
                size_bytes=record.size_bytes,
                media_type=record.media_type,
                occurred_at=_at(record),
            )

        self._tell(record, tell, [record.digest])

    def checkpoint(self, record: Checkpoint, evaluated: Sequence[Evaluated], covers: Covers) -> None:
        def tell(holding: Holding) -> object:
            return self._door.checkpoint(
                holding,
                step=record.step,
                digest=record.digest,
                size_bytes=record.size_bytes,
                loss=record.loss,
                covers=covers,
                evaluations=evaluated,
                occurred_at=_at(record),
            )

        before, predictions = self._saved, [found.predictions for found in evaluated]
        if self._tell(record, tell, predictions, kept=record.digest):
            self._saved = record.digest
            if before is not None and before != record.digest:
                self._staged(before).unlink(missing_ok=True)

    def set_aside(self, record: object, problem: object) -> None:
        self._aside.put(record, problem)
        self._tally.set_aside += 1

    def _tell(
        self,
        record: FactRecord,
        tell: Callable[[Holding], Any],
        blobs: Sequence[str] = (),
        kept: str | None = None,
    ) -> bool:
        """Whether it was taken. `blobs` are removed from the disk then, and `kept` is not."""
        if not self._claim.is_held:
            raise self._fenced()
        try:
            for digest in [*blobs, kept] if kept else blobs:
                self._upload(digest)
            self._claim.tell(self._door, tell)
        except AttemptOver:
            raise self._fenced() from None
        except Unknown as unknown:
            raise StartOver(str(unknown)) from unknown
        except (RefusedFact, BlobMissing) as refusal:
            self.set_aside(record, refusal)
            return False
        self._tally.facts += 1
        for digest in blobs:
            self._staged(digest).unlink(missing_ok=True)
        return True

    def _upload(self, digest: str) -> None:
        if self._door.has_blob(digest):
            return
        staged = self._staged(digest)
        if not staged.exists():
            raise BlobMissing(digest)
        self._door.put_blob(digest, staged, self._sent)
        self._tally.files += 1

    def _sent(self, size_bytes: int) -> None:
        self._tally.file_bytes += size_bytes

    def _staged(self, digest: str) -> Path:
        return self._folder.staged / digest

    def _fenced(self) -> Fenced:
        holding = self._claim.holding
        return Fenced(run_stream(RunId(holding.run_id)), holding.epoch)


def _at(record: FactRecord) -> datetime | None:
    return None if record.time is None else moment(record.time)
