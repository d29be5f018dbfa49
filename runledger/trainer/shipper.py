"""The worker's way of shipping a journal: it appends to the log itself.

A run that a newer release has written to takes no fact from this one. The training is not at fault: what
it tells waits in its journal until a newer worker, or this one upgraded, brings the rest.
"""

from __future__ import annotations

import threading

from runledger.tracker.errors import UnknownEvent
from runledger.tracker.ids import RunId
from runledger.tracker.shipping import Shipper
from runledger.trainer.attempt.job import Folder
from runledger.trainer.facts import Facts
from runledger.trainer.retrying import Retry
from runledger.trainer.services import Services
from runledger.trainer.telemetry import Telemetry


def shipper(
    services: Services,
    folder: Folder,
    run_id: RunId,
    attempt: int,
    *,
    facts: Facts | None,
    give_up: threading.Event,
) -> Shipper:
    """`facts` is None for the journal of an attempt that is over."""
    telemetry = Telemetry(services, run_id, attempt)
    return Shipper(folder.journal, folder.output, telemetry, facts, Retry(give_up, UnknownEvent))
