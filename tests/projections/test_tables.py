"""What the migrations make is what the code expects."""

from __future__ import annotations

import math

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, insert, select

from runledger.projections import catalogue
from runledger.projections.metrics.tables import summaries
from runledger.projections.mlflow import tables as mlflow_tables
from runledger.projections.tables import views as metadata


def test_the_migrated_database_has_the_tables_of_the_code(views: Engine) -> None:
    assert catalogue.PROJECTIONS and mlflow_tables
    with views.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []


def test_every_table_bears_the_version_of_its_projection() -> None:
    for projection in catalogue.PROJECTIONS:
        assert all(table.name.endswith(f"_v{projection.version}") for table in projection.tables)


def test_numbers_sort_alike_on_both_databases(views: Engine) -> None:
    values = [math.nan, 1.0, math.inf, -math.inf]
    with views.begin() as conn:
        for index, value in enumerate(values):
            row = {"run_id": "r", "key": str(index), "points": 1, "non_finite": 0}
            conn.execute(insert(summaries).values(**row, last_value=value, last_step=0, last_time=0))
        found = list(conn.scalars(select(summaries.c.last_value).order_by(summaries.c.last_value)))
    assert repr(found) == "[-inf, 1.0, inf, nan]"
