"""Builds of projections: which one answers, which grow beside it, and which are still to be dropped."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "views_0004"
down_revision = "views_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("activations", sa.Column("build", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "builds",
        sa.Column("projection", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("build", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("tables", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("projection", "version", "build"),
    )
