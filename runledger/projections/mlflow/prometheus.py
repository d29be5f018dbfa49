"""Numbers of the sink's process."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

POSITION = Gauge("runledger_mlflow_position", "Position up to which MLflow was told.")
REACHABLE = Gauge("runledger_mlflow_reachable", "1 while MLflow answers.")
POINTS = Counter("runledger_mlflow_points", "Points that MLflow has acknowledged.")
REFUSED = Counter("runledger_mlflow_refused", "Times that a run was set aside.")
REWRITTEN = Counter("runledger_mlflow_rewritten", "Mirrors put into the trash because they were superseded.")
RUN_SECONDS = Histogram(
    "runledger_mlflow_run_seconds",
    "Time to bring one run up to date.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
