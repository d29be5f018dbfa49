"""`runledger migrate`: schemas, and on PostgreSQL the roles of the processes."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from runledger.api.cli import exits
from runledger.api.cli.app import runledger
from runledger.migrations.roles import PROCESSES
from tests.conftest import Databases, connect_postgresql


@pytest.fixture
def migrated(postgresql_databases: Databases) -> Iterator[dict[str, str]]:
    """The environment of a database that nobody has migrated, and of roles that nobody has made."""
    url = postgresql_databases.empty()
    prefix = f"runledger_test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    yield {
        "RUNLEDGER_LEDGER_URL": url,
        "RUNLEDGER_ROLE_PREFIX": prefix,
        "RUNLEDGER_WORKER_PASSWORD": "secret",
    }
    with connect_postgresql(url, autocommit=True) as owner:
        for process in PROCESSES:
            role = f"{prefix}_{process}"
            if owner.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None:
                owner.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER")
                owner.execute(f"DROP OWNED BY {role}")
                owner.execute(f"DROP ROLE {role}")


def test_roles_are_made_on_demand_and_kept_up_with_from_then_on(migrated: dict[str, str]) -> None:
    prefix = migrated["RUNLEDGER_ROLE_PREFIX"]
    open_to = {
        "ledger": [f"{prefix}_{process}" for process in ("api", "projections", "sink", "worker")],
        "views": [f"{prefix}_{process}" for process in ("api", "projections", "sink")],
    }

    def migrate(*options: str) -> dict[str, list[str]]:
        answer = CliRunner().invoke(runledger, ["migrate", "--json", *options], env=migrated)
        assert answer.exit_code == 0, answer.output
        assert "secret" not in answer.output
        return {one["database"]: one["roles"] for one in json.loads(answer.stdout)}

    assert migrate() == {"ledger": [], "views": []}
    assert migrate("--roles") == open_to
    assert migrate() == open_to


def test_files_have_no_roles(tmp_path: Path) -> None:
    answer = CliRunner().invoke(runledger, ["migrate", "--roles"], env={"RUNLEDGER_DATA": str(tmp_path)})
    assert answer.exit_code == exits.SETUP_PROBLEM
    assert "only PostgreSQL" in answer.stderr
