"""An evaluation that was made beside the training, as the commands that tell it all at once.

Its id follows from what was evaluated, so that telling it again changes nothing.
"""

from __future__ import annotations

import uuid

import msgspec

from runledger.tracker.aggregates.evaluation import CompleteEvaluation, RequestEvaluation, StartEvaluation
from runledger.tracker.aggregates.run import RecordEvaluation
from runledger.tracker.events.base import Score
from runledger.tracker.ids import Digest, EvaluationId, RunId

NAMESPACE = uuid.UUID("0c4c9a0e-91a7-5d53-8a53-0a5b8f2d6f5e")

Command = RequestEvaluation | StartEvaluation | CompleteEvaluation | RecordEvaluation


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt found when it evaluated the state of one step."""

    run_id: RunId
    attempt: int
    step: int
    checkpoint: Digest
    benchmark_id: str
    scores: tuple[Score, ...]
    predictions: Digest
    items: int

    @property
    def evaluation_id(self) -> EvaluationId:
        key = f"{self.run_id}/{self.attempt}/{self.step}/{self.benchmark_id}"
        return EvaluationId(uuid.uuid5(NAMESPACE, key).hex)


def commands(found: Found, *, worker: str, epoch: int, actor: str) -> list[Command]:
    """For one append, behind the command that records the checkpoint."""
    return [
        RequestEvaluation(
            evaluation_id=found.evaluation_id,
            run_id=found.run_id,
            step=found.step,
            checkpoint=found.checkpoint,
            benchmark_id=found.benchmark_id,
            requested_by=actor,
        ),
        StartEvaluation(evaluation_id=found.evaluation_id, attempt=1, worker=worker, epoch=epoch),
        CompleteEvaluation(
            evaluation_id=found.evaluation_id,
            attempt=1,
            scores=found.scores,
            predictions=found.predictions,
            items=found.items,
        ),
        RecordEvaluation(
            run_id=found.run_id,
            attempt=found.attempt,
            step=found.step,
            benchmark_id=found.benchmark_id,
            evaluation_id=found.evaluation_id,
            scores=found.scores,
        ),
    ]
