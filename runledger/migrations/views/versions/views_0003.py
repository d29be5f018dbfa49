"""Metrics by block: the projection begins anew in its second version, whose rows are fewer and larger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "views_0003"
down_revision = "views_0002"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
FIRST_TABLES = ("metric_chunks_v1", "metric_attempts_v1", "metric_checkpoints_v1", "metric_summaries_v1")
RAW_COLUMNS = (("metric_batches_v2", "payload"), ("metric_segments_v2", "points"))


def upgrade() -> None:
    for name in FIRST_TABLES:
        op.drop_table(name)
    op.execute("DELETE FROM cursors WHERE name = 'metrics@1'")
    op.execute("DELETE FROM activations WHERE projection = 'metrics'")
    op.execute("DELETE FROM stoppages WHERE cursor = 'metrics@1'")
    _make_points()
    _make_the_rest()
    if op.get_bind().dialect.name == "postgresql":
        _leave_uncompressed()


def _make_points() -> None:
    op.create_table(
        "metric_batches_v2",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "attempt", "version"),
    )
    op.create_table(
        "metric_segments_v2",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_key", KEY, nullable=False),
        sa.Column("last_key", KEY, nullable=False),
        sa.Column("keys", sa.LargeBinary(), nullable=False),
        sa.Column("points", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "attempt", "block", "place"),
    )
    op.create_index("metric_segments_v2_keys", "metric_segments_v2", ["run_id", "last_key", "first_key"])


def _make_the_rest() -> None:
    op.create_table(
        "metric_attempts_v2",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("resumed_attempt", sa.Integer()),
        sa.Column("resumed_step", sa.BigInteger()),
        sa.Column("resumed_digest", sa.Text()),
        sa.PrimaryKeyConstraint("run_id", "attempt"),
    )
    op.create_table(
        "metric_checkpoints_v2",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("covers_version", sa.BigInteger(), nullable=False),
        sa.Column("covers_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "position"),
    )
    op.create_table(
        "metric_summaries_v2",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("non_finite", sa.BigInteger(), nullable=False),
        sa.Column("last_value", sa.Double(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("last_time", sa.BigInteger(), nullable=False),
        sa.Column("min_value", sa.Double()),
        sa.Column("min_step", sa.BigInteger()),
        sa.Column("max_value", sa.Double()),
        sa.Column("max_step", sa.BigInteger()),
        sa.PrimaryKeyConstraint("run_id", "key"),
    )
    op.create_index("metric_summaries_v2_last", "metric_summaries_v2", ["key", "last_value"])


def _leave_uncompressed() -> None:
    """Points hardly become smaller, and to try costs more than to write them."""
    for table, column in RAW_COLUMNS:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL")
