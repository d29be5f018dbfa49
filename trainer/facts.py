"""What an attempt has written down, told to the run: under its fence, blobs first.

A fact that the domain refuses is quarantined and reported, and the rest goes on; that another has
taken over (`Fenced`) ends the telling.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tracker.aggregates.evaluation import CompleteEvaluation, RequestEvaluation, StartEvaluation
from tracker.aggregates.registry import AnyCommand
from tracker.aggregates.run import RecordArtifact, RecordCheckpoint, RecordEnvironment, RecordEvaluation
from tracker.envelope import Fence
from tracker.errors import BadInput, BlobMissing, Refused
from tracker.events.base import Covers
from tracker.ids import Digest, EvaluationId
from tracker.journal import Artifact, Checkpoint, Environment, Evaluated
from trainer import prometheus
from trainer.attempt.job import Folder
from trainer.claims import Claim
from trainer.folders import name_of
from trainer.services import Services

logger = logging.getLogger(__name__)

NAMESPACE = uuid.UUID("0c4c9a0e-91a7-5d53-8a53-0a5b8f2d6f5e")


class Facts:
    """Every call may raise `StoreUnavailable` or a conflict, and may then be repeated."""

    def __init__(self, services: Services, claim: Claim, folder: Folder) -> None:
        self._services = services
        self._claim = claim
        self._folder = folder
        self._fence = Fence(stream=claim.stream, epoch=claim.epoch)

    def environment(self, record: Environment) -> None:
        fields = msgspec.structs.asdict(record)
        self._tell(
            record,
            RecordEnvironment(run_id=self._claim.run_id, attempt=self._claim.attempt, **fields),
            blobs=[record.code_diff_digest] if record.code_diff_digest else [],
        )

    def artifact(self, record: Artifact) -> None:
        command = RecordArtifact(
            run_id=self._claim.run_id,
            attempt=self._claim.attempt,
            path=record.path,
            digest=Digest(record.digest),
            size_bytes=record.size_bytes,
            media_type=record.media_type,
        )
        self._tell(record, command, blobs=[record.digest])

    def checkpoint(self, record: Checkpoint, evaluated: Sequence[Evaluated], covers: Covers) -> None:
        """The checkpoint and the evaluations of its state, in one append."""
        command = RecordCheckpoint(
            run_id=self._claim.run_id,
            attempt=self._claim.attempt,
            step=record.step,
            digest=Digest(record.digest),
            size_bytes=record.size_bytes,
            loss=record.loss,
            covers=covers,
        )
        evaluations = [each for found in evaluated for each in self._evaluation(found, record)]
        blobs = [record.digest, *(found.predictions for found in evaluated)]
        self._tell(record, command, *evaluations, blobs=blobs)

    def _evaluation(self, found: Evaluated, checkpoint: Checkpoint) -> list[AnyCommand]:
        """Its id follows from what was evaluated, so that telling it again changes nothing."""
        run_id, attempt = self._claim.run_id, self._claim.attempt
        key = f"{run_id}/{attempt}/{found.step}/{found.benchmark_id}"
        evaluation_id = EvaluationId(uuid.uuid5(NAMESPACE, key).hex)
        return [
            RequestEvaluation(
                evaluation_id=evaluation_id,
                run_id=run_id,
                step=found.step,
                checkpoint=Digest(checkpoint.digest),
                benchmark_id=found.benchmark_id,
                requested_by=self._services.metadata.actor,
            ),
            StartEvaluation(
                evaluation_id=evaluation_id,
                attempt=1,
                worker=self._services.worker_id,
                epoch=self._claim.epoch,
            ),
            CompleteEvaluation(
                evaluation_id=evaluation_id,
                attempt=1,
                scores=found.scores,
                predictions=Digest(found.predictions),
                items=found.items,
            ),
            RecordEvaluation(
                run_id=run_id,
                attempt=attempt,
                step=found.step,
                benchmark_id=found.benchmark_id,
                evaluation_id=evaluation_id,
                scores=found.scores,
            ),
        ]

    def _tell(self, record: object, *commands: AnyCommand, blobs: Sequence[str]) -> None:
        try:
            for digest in blobs:
                self._upload(digest)
            self._services.dispatcher.dispatch_all(
                *commands, metadata=self._services.metadata, fence=self._fence
            )
        except (Refused, BadInput, BlobMissing) as refusal:
            self.quarantine(record, refusal)
            return
        for digest in blobs:
            self._staged(digest).unlink(missing_ok=True)

    def _upload(self, digest: str) -> None:
        staged = self._staged(digest)
        if staged.exists():
            self._services.blobs.put_file(staged)
        elif not self._services.blobs.exists(digest):
            raise BlobMissing(digest)

    def _staged(self, digest: str) -> Path:
        return self._folder.staged / digest

    def quarantine(self, record: object, problem: object) -> None:
        """Set a record aside, with the reason, where a person can look at it."""
        logger.error("%s attempt %d: set aside: %s", self._claim.stream, self._claim.attempt, problem)
        prometheus.SET_ASIDE.inc()
        path = self._services.quarantine / f"{name_of(self._claim.run_id, self._claim.attempt)}.jsonl"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(msgspec.json.encode({"problem": str(problem), "record": repr(record)}) + b"\n")
        except OSError as error:
            logger.error("%s: %s", path, error)
