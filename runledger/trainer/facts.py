"""What an attempt has written down, told to the run: under its fence, blobs first.

A fact that the domain refuses is quarantined and reported, and the rest goes on; that another has
taken over (`Fenced`) ends the telling.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from runledger.tracker import evaluating
from runledger.tracker.aggregates import registry
from runledger.tracker.aggregates.registry import AnyCommand
from runledger.tracker.aggregates.run import (
    RecordArtifact,
    RecordCheckpoint,
    RecordEnvironment,
    RecordParams,
)
from runledger.tracker.envelope import Fence
from runledger.tracker.errors import BadInput, BlobCorrupt, BlobMissing, Refused
from runledger.tracker.events.base import Covers
from runledger.tracker.events.run import RunEnvironmentRecorded
from runledger.tracker.ids import Digest
from runledger.tracker.journal import Artifact, Checkpoint, Environment, Evaluated, Params
from runledger.trainer import prometheus
from runledger.trainer.attempt.job import Folder
from runledger.trainer.claims import Claim, load_run
from runledger.trainer.folders import name_of
from runledger.trainer.services import Services

logger = logging.getLogger(__name__)


class Facts:
    """Every call may raise `StoreUnavailable` or a conflict, and may then be repeated."""

    def __init__(self, services: Services, claim: Claim, folder: Folder) -> None:
        self._services = services
        self._claim = claim
        self._folder = folder
        self._fence = Fence(stream=claim.stream, epoch=claim.epoch)

    def environment(self, record: Environment) -> None:
        fields = msgspec.structs.asdict(record)
        del fields["time"]
        self._tell(
            record,
            RecordEnvironment(
                run_id=self._claim.run_id,
                attempt=self._claim.attempt,
                forked_from=self._environment_of_fork_point(),
                **fields,
            ),
            blobs=[record.code_diff_digest] if record.code_diff_digest else [],
        )

    def _environment_of_fork_point(self) -> RunEnvironmentRecorded | None:
        """Of the attempt of the other run that saved what this attempt began from."""
        run = load_run(self._services, self._claim.run_id)
        fork = run.requested.forked_from
        if fork is None or run.attempts[-1].resumed_from is not None:
            return None
        other = self._services.dispatcher.find(registry.RUN, fork.run_id)
        if other is None:
            return None
        saved = (each for each in other.checkpoints if (each.step, each.digest) == (fork.step, fork.digest))
        attempts = (other.started(each.attempt) for each in saved)
        return next((each.environment for each in attempts if each is not None), None)

    def params(self, record: Params) -> None:
        command = RecordParams(run_id=self._claim.run_id, attempt=self._claim.attempt, params=record.params)
        self._tell(record, command, blobs=[])

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

    def _evaluation(self, found: Evaluated, checkpoint: Checkpoint) -> list[evaluating.Command]:
        return evaluating.commands(
            evaluating.Found(
                run_id=self._claim.run_id,
                attempt=self._claim.attempt,
                step=found.step,
                checkpoint=Digest(checkpoint.digest),
                benchmark_id=found.benchmark_id,
                scores=found.scores,
                predictions=Digest(found.predictions),
                items=found.items,
            ),
            worker=self._services.worker_id,
            epoch=self._claim.epoch,
            actor=self._services.metadata.actor,
        )

    def _tell(self, record: object, *commands: AnyCommand, blobs: Sequence[str]) -> None:
        try:
            for digest in blobs:
                self._upload(digest)
            self._services.dispatcher.dispatch_all(
                *commands, metadata=self._services.metadata, fence=self._fence
            )
        except (Refused, BadInput, BlobMissing, BlobCorrupt) as refusal:
            self.set_aside(record, refusal)
            return
        for digest in blobs:
            self._staged(digest).unlink(missing_ok=True)

    def _upload(self, digest: str) -> None:
        staged = self._staged(digest)
        if staged.exists():
            stored, _ = self._services.blobs.put_file(staged)
            if stored != digest:
                raise BlobCorrupt(digest, stored)
        elif not self._services.blobs.exists(digest):
            raise BlobMissing(digest)

    def _staged(self, digest: str) -> Path:
        return self._folder.staged / digest

    def set_aside(self, record: object, problem: object) -> None:
        """Keep it, with the reason, where a person can look at it."""
        logger.error("%s attempt %d: set aside: %s", self._claim.stream, self._claim.attempt, problem)
        prometheus.SET_ASIDE.inc()
        path = self._services.quarantine / f"{name_of(self._claim.run_id, self._claim.attempt)}.jsonl"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(msgspec.json.encode({"problem": str(problem), "record": repr(record)}) + b"\n")
        except OSError as error:
            logger.error("%s: %s", path, error)
