"""The tables that the sink keeps in the `views` database: what it has told MLflow so far.

They can be thrown away: the sink then looks for our tags in MLflow and goes on from what it finds.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from runledger.projections.tables import views

mlflow_sink = Table(
    "mlflow_sink",
    views,
    Column("name", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("has_looked", Boolean, nullable=False),
    Column("is_reachable", Boolean, nullable=False),
    Column("problem", Text, nullable=False),
    Column("checked_at", BigInteger, nullable=False),
    Column("points", BigInteger, nullable=False),
)
"""One row: whether the sink knows what MLflow holds, and whether that answered at `checked_at` (µs)."""

mlflow_runs = Table(
    "mlflow_runs",
    views,
    Column("run_id", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("mlflow_experiment_id", Text),
    Column("mlflow_run_id", Text),
    Column("parent_run_id", Text),
    Column("progress", Text, nullable=False),
    Column("problem", Text),
    Column("failures", Integer, nullable=False),
    Column("retry_at", BigInteger),
)
"""How far each run has been told; `problem` is why MLflow would not have it, `retry_at` when to try again."""

Index("mlflow_runs_parent", mlflow_runs.c.parent_run_id)
Index("mlflow_runs_retry", mlflow_runs.c.retry_at)
