"""The worker's numbers for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

ATTEMPTS = Gauge("runledger_trainer_attempts", "Attempts that this worker executes now.")
SPARES = Gauge("runledger_trainer_spares", "Processes that have imported a recipe and wait for an attempt.")
STARTED = Counter("runledger_trainer_attempts_started", "Attempts that were claimed.")
ENDED = Counter("runledger_trainer_attempts_ended", "Attempts whose end was told.", ["how"])
OVERTAKEN = Counter("runledger_trainer_attempts_overtaken", "Attempts that were stopped for a lost lease.")
LOST = Counter("runledger_trainer_attempts_lost", "Attempts of anybody whose lease had expired.")
SENT = Counter("runledger_trainer_messages_sent", "Messages to the broker.", ["why"])
POINTS = Counter("runledger_trainer_points_shipped", "Metric points that were brought to the log.")
OUTPUT_BYTES = Counter("runledger_trainer_output_bytes_shipped", "Bytes of output brought to the log.")
RETRIES = Counter("runledger_trainer_retries", "Calls that an outage or a conflict made necessary again.")
SET_ASIDE = Counter("runledger_trainer_records_set_aside", "Records that were refused or damaged.")
