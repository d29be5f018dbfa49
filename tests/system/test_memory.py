"""What a whole Runledger holds in memory, as `runledger doctor` tells it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runledger.api.cli import memory
from tests.system.conftest import Install
from tests.system.installation import Installation, clean_environment, runledger, until
from tests.system.requests import toy

pytestmark = pytest.mark.system

MOST_BYTES = 400_000_000


def told(installation: Installation) -> dict[str, str]:
    findings = json.loads(installation.run("doctor", "--json").stdout)
    return {one["subject"]: one["words"] for one in findings if one["subject"].startswith("memory")}


def test_an_idle_installation_is_small_and_the_doctor_says_of_what_it_consists(install: Install) -> None:
    installation = install({}, "--no-mlflow")

    held = memory.held(installation.pid)
    words = told(installation)

    assert sum(each.size_bytes for each in held) < MOST_BYTES
    programs = {"api", "projections", "trainer"}
    assert {each.name for each in held} == {"up", "guard", *programs}
    assert set(words) == {"memory", "memory up", "memory guard", *(f"memory {name}" for name in programs)}
    assert words["memory"].endswith("no spare")


def test_a_spare_is_told_apart_from_an_attempt(install: Install, tmp_path: Path) -> None:
    installation = install({}, "--no-mlflow")
    for _ in range(2):
        launched = installation.client.launch(**toy(steps=3))
        installation.client.wait(launched.run_id, timeout_seconds=60)
    until(lambda: "memory spare" in told(installation), what="a spare")
    spare = installation.process("spare").pid

    gate = tmp_path / "gate"
    launched = installation.client.launch(**toy(steps=3, gate=str(gate), gate_at=0))
    attempt = installation.process("attempt").pid
    assert attempt == spare
    gate.touch()
    installation.client.wait(launched.run_id, timeout_seconds=60)

    until(lambda: told(installation)["memory"].endswith("one spare"), what="another spare")


def test_where_nothing_runs_the_doctor_says_so(tmp_path: Path) -> None:
    (tmp_path / memory.LOCK).write_text("1\n")
    done = runledger("doctor", "--json", environment={**clean_environment(), "RUNLEDGER_DATA": str(tmp_path)})

    found = {one["subject"]: one for one in json.loads(done.stdout)}

    assert found["memory"]["verdict"] == "note"
    assert "does not run on" in found["memory"]["words"]
