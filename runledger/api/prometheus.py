"""What this process counts of itself, for Prometheus."""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from runledger.api.answers import Health

REQUESTS = Counter("runledger_http_requests_total", "Answers begun.", ["method", "route", "status"])
SECONDS = Histogram(
    "runledger_http_request_seconds",
    "Time from request to the start of the answer.",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
VIEWERS = Gauge("runledger_sse_viewers", "Open streams of events.")
SENT_EVENTS = Counter("runledger_sse_events_total", "Events written to viewers.")
LOG_POSITION = Gauge("runledger_log_position", "Position of the last event in the log.")
LAG = Gauge("runledger_consumer_lag_events", "Events a consumer of the log has yet to see.", ["consumer"])
QUEUED = Gauge("runledger_queue_runs", "Attempts that wait for a worker.")
LEASES = Gauge("runledger_leases", "Attempts under a lease.")
WORKERS = Gauge("runledger_workers", "Workers that were seen lately.")


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """A method that nobody knows is `other`: callers must not be able to make series without an end."""
    count, duration = _series(method if method in METHODS else "other", route, status)
    count.inc()
    duration.observe(seconds)


@cache
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """To find them by their labels takes longer than to count."""
    return REQUESTS.labels(method, route, str(status)), SECONDS.labels(method, route)


def note(health: Health) -> None:
    """Put down how far everything is, as it was found just now."""
    LOG_POSITION.set(health.position)
    for consumer in [*health.projections, *([health.mlflow] if health.mlflow else []), health.seal]:
        LAG.labels(consumer.name).set(consumer.lag)
    QUEUED.set(health.queued)
    LEASES.set(len(health.leases))
    WORKERS.set(sum(not worker.is_missing for worker in health.workers))
