"""When an attempt cannot be one of the run that it names: then it is told as a run of its own, and says so.

It began while the tracker could not be asked, and the run turns out to be over, or another one; or it
went on from a state that the run, as it stands now, did not come to. What it did is true all the same,
and on the curve of that run it would be a lie.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from runledger.api.courier.errors import RefusedFact
from runledger.api.tracking.folders import AttemptFile, RunFile
from runledger.tracker.aggregates.texts import MAX_TAGS

TAG = "instead-of"
"""Of the run that is made: the id of the one that was meant."""
NOT_ON_LINE = "checkpoint-not-on-line"
ALWAYS = frozenset({NOT_ON_LINE, "run-is-another"})
UNASKED = frozenset({"run-already-ended", "run-not-external", "run-already-requested"})


def must_stand_apart(attempt: AttemptFile, refusal: RefusedFact) -> bool:
    """Otherwise it is refused for good."""
    return refusal.kind in ALWAYS or (attempt.is_unasked and refusal.kind in UNASKED)


def own_run_id(run: RunFile, attempt: AttemptFile) -> str:
    """Always the same, so that telling it twice tells it once."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"runledger {run.run_id} {attempt.worker}").hex


def own_tags(run: RunFile) -> Mapping[str, str]:
    return run.tags | {TAG: run.run_id} if len(run.tags) < MAX_TAGS else run.tags
