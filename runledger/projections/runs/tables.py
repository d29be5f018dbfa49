"""The tables of the runs projection.

`runs_v1` holds what was requested and never changes; `run_states_v1` one row for each event of a run,
so its `version` is the stream's. Secondary facts have tables of their own.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text

from runledger.projections.tables import Real, valid_from, valid_to, views

runs = Table(
    "runs_v1",
    views,
    Column("run_id", Text, primary_key=True),
    Column("position", BigInteger, nullable=False, unique=True),
    Column("experiment_id", Text, nullable=False),
    Column("requested_at", BigInteger, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("recipe", Text, nullable=False),
    Column("priority", BigInteger, nullable=False),
    Column("external", Boolean, nullable=False),
    Column("request", LargeBinary, nullable=False),
)
"""`request`: the whole RunRequested, as MessagePack."""

run_states = Table(
    "run_states_v1",
    views,
    Column("run_id", Text, primary_key=True),
    valid_from(),
    valid_to(),
    Column("version", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("experiment_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("step", BigInteger),
    Column("updated_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("outcome", LargeBinary),
    Index("run_states_v1_newest", "valid_to", "position"),
    Index("run_states_v1_experiment", "experiment_id", "valid_to", "position"),
    Index("run_states_v1_status", "status", "valid_to", "position"),
)
"""`position` is that of the request, by which lists are paged. `outcome`: how it ended, as MessagePack."""

run_tags = Table(
    "run_tags_v1",
    views,
    Column("run_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    valid_from(),
    valid_to(),
    Column("value", Text, nullable=False),
)

run_params = Table(
    "run_params_v1",
    views,
    Column("run_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    valid_from(),
    valid_to(),
    Column("value", LargeBinary, nullable=False),
)
"""A param never changes once recorded; `value` is a scalar as MessagePack."""

run_attempts = Table(
    "run_attempts_v1",
    views,
    Column("run_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    valid_from(),
    valid_to(),
    Column("worker", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("resumed_from", LargeBinary),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("ending", Text),
    Column("environment", LargeBinary),
)
"""`ending`: completed, failed, lost, preempted, cancelled or paused; NULL while it executes."""

run_checkpoints = Table(
    "run_checkpoints_v1",
    views,
    Column("run_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", Text, primary_key=True),
    valid_from(),
    valid_to(),
    Column("position", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("loss", Real),
    Column("covers_version", BigInteger, nullable=False),
    Column("covers_offset", BigInteger, nullable=False),
    Column("saved_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Column("deleted_by", Text),
)
"""A deleted checkpoint stays as a row that says when and by which policy."""

run_artifacts = Table(
    "run_artifacts_v1",
    views,
    Column("run_id", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    valid_from(),
    valid_to(),
    Column("attempt", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
)
"""Recorded again under the same path, a newer artifact takes the place of the older."""

TABLES = (runs, run_states, run_tags, run_params, run_attempts, run_checkpoints, run_artifacts)
