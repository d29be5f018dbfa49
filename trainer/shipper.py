"""The worker's way of shipping a journal: it appends to the log itself."""

from __future__ import annotations

import threading

from tracker.ids import RunId
from tracker.shipping import Shipper
from trainer.attempt.job import Folder
from trainer.facts import Facts
from trainer.retrying import Retry
from trainer.services import Services
from trainer.telemetry import Telemetry


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
    return Shipper(folder.journal, folder.output, telemetry, facts, Retry(give_up))
