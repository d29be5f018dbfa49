"""What the MLflow sink remembers: how far each run was told, and whether MLflow answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "views_0002"
down_revision = "views_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mlflow_sink",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("has_looked", sa.Boolean(), nullable=False),
        sa.Column("is_reachable", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "mlflow_runs",
        sa.Column("run_id", sa.Text(), primary_key=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("mlflow_experiment_id", sa.Text()),
        sa.Column("mlflow_run_id", sa.Text()),
        sa.Column("parent_run_id", sa.Text()),
        sa.Column("progress", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.BigInteger()),
    )
    op.create_index("mlflow_runs_parent", "mlflow_runs", ["parent_run_id"])
    op.create_index("mlflow_runs_retry", "mlflow_runs", ["retry_at"])
