"""The runner's numbers for Prometheus. How far behind a projection is, the API tells from the rows."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("runledger_projection_events", "Events that were folded and stored.", ["projection"])
POSITION = Gauge("runledger_projection_position", "Position accounted for.", ["projection"])
STOPPED = Gauge("runledger_projection_stopped", "1 while an event stops the projection.", ["projection"])
WRITE_SECONDS = Histogram(
    "runledger_projection_write_seconds",
    "Time from the lock to the commit of a batch.",
    buckets=(0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
