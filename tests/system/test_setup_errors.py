"""What is wrong with a machine or a request is named, with an exit status, and nothing is half done."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runledger.api.cli import exits
from runledger.api.cli.preflight import free_port
from tests.conftest import missing
from tests.system.conftest import Install
from tests.system.installation import Installation, clean_environment, runledger
from tests.system.requests import toy

pytestmark = pytest.mark.system


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **clean_environment(),
        "RUNLEDGER_DATA": str(tmp_path / "data"),
        "RUNLEDGER_PORT": str(free_port()),
        "RUNLEDGER_MLFLOW_PORT": str(free_port()),
    }


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Path]:
    """A folder of its own file system, of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        missing("the right to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_up_off_loopback_asks_for_a_token_before_it_starts_anything(environment: dict[str, str]) -> None:
    ended = runledger("up", environment=environment | {"RUNLEDGER_HOST": "0.0.0.0"})

    assert ended.returncode == exits.SETUP_PROBLEM
    assert "runledger token create" in ended.stderr
    assert not (Path(environment["RUNLEDGER_DATA"]) / "logs").exists()


def test_up_names_a_taken_port(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", int(environment["RUNLEDGER_PORT"]))):
        ended = runledger("up", environment=environment)

    assert ended.returncode == exits.SETUP_PROBLEM
    assert f"port {environment['RUNLEDGER_PORT']} on 127.0.0.1 is taken" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_up_names_the_taken_port_of_mlflow(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", int(environment["RUNLEDGER_MLFLOW_PORT"]))):
        ended = runledger("up", environment=environment)

    assert ended.returncode == exits.SETUP_PROBLEM
    assert "RUNLEDGER_MLFLOW_PORT" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_up_names_a_full_disk(environment: dict[str, str], mount: Path) -> None:
    ended = runledger("up", environment={**environment, "RUNLEDGER_DATA": str(mount / "data")})

    assert ended.returncode == exits.SETUP_PROBLEM
    assert f"data folder {mount / 'data'}: its disk is full" in ended.stderr
    assert list(mount.iterdir()) == []


def test_up_names_a_read_only_folder(environment: dict[str, str], mount: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(mount)], check=True)
    ended = runledger("up", environment={**environment, "RUNLEDGER_DATA": str(mount / "data")})

    assert ended.returncode == exits.SETUP_PROBLEM
    assert f"data folder {mount / 'data'}: read-only file system" in ended.stderr


def test_up_names_an_unreachable_mlflow(environment: dict[str, str], tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    ended = runledger("up", environment={**environment, "RUNLEDGER_MLFLOW_URL": url})

    assert ended.returncode == exits.SETUP_PROBLEM
    assert f"MLflow at {url} does not answer" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_up_names_an_unreachable_database_without_its_password(environment: dict[str, str]) -> None:
    port = free_port()
    url = f"postgresql://someone:secret@127.0.0.1:{port}/none"  # pragma: allowlist secret
    ended = runledger("up", "--no-mlflow", environment={**environment, "RUNLEDGER_LEDGER_URL": url})

    assert ended.returncode == exits.SETUP_PROBLEM
    assert f"127.0.0.1:{port}" in ended.stderr
    assert "secret" not in ended.stderr


def test_up_names_a_setting_that_does_not_fit(environment: dict[str, str]) -> None:
    ended = runledger("up", environment={**environment, "RUNLEDGER_PORT": "many"})

    assert ended.returncode == exits.SETUP_PROBLEM
    assert "RUNLEDGER_PORT" in ended.stderr


def test_a_second_up_on_the_same_folder_is_refused(install: Install, environment: dict[str, str]) -> None:
    installation = install({}, "--no-mlflow")
    ended = runledger(
        "up", "--no-mlflow", environment={**environment, "RUNLEDGER_DATA": str(installation.data)}
    )

    assert ended.returncode == exits.SETUP_PROBLEM
    assert f"data folder {installation.data} is in use by process" in ended.stderr


@pytest.fixture
def running(install: Install) -> Installation:
    return install({}, "--no-mlflow")


def test_a_launch_that_does_not_fit_is_refused_and_leaves_nothing(running: Installation) -> None:
    def launch(*words: str) -> subprocess.CompletedProcess[str]:
        return running.run("launch", *words)

    before = running.client.health().position
    for words, problem in (
        (("toy", "-e", "x", "--set", "stepps=3"), "stepps"),
        (("toy", "-e", "x", "--set", 'steps="three"'), "steps"),
        (("toy", "-e", "x", "--set", "dataset=" + "0" * 64), "0" * 64),
        (("toy", "-e", "x", "--preset", "absent"), "absent"),
        (("absent", "-e", "x"), "absent"),
        (("toy", "-e", "x", "--attempts", "0"), "attempts"),
    ):
        ended = launch(*words)
        assert ended.returncode == exits.BAD_USAGE, ended
        assert problem in ended.stderr, ended
    assert running.client.health().position == before


def test_unknown_things_are_bad_usage_and_refusals_are_refusals(running: Installation) -> None:
    assert running.run("show", "f" * 32).returncode == exits.BAD_USAGE
    run_id = running.run("launch", "toy", "-e", "x", "--set", "steps=3").stdout.strip()
    assert running.run("watch", run_id).returncode == exits.OK
    assert running.run("cancel", run_id).returncode == exits.REFUSED


def test_a_failed_run_makes_the_watch_fail_with_the_reason(running: Installation) -> None:
    ended = running.run(
        "launch", "toy", "-e", "x", "--set", "fault=error", "--set", "fault_at=3",
        "--set", "fault_attempts=9", "--attempts", "1", "--watch",
    )  # fmt: skip

    assert ended.returncode == exits.RUN_DID_NOT_COMPLETE
    assert "a fault was asked for" in ended.stderr


def test_machines_read_json(running: Installation) -> None:
    launched = running.client.launch(**toy())
    facts = [json.loads(line) for line in running.run("watch", launched.run_id, "--json").stdout.splitlines()]
    whole = json.loads(running.run("show", launched.run_id, "--json").stdout)
    found = json.loads(running.run("doctor", "--json").stdout)

    assert facts[-1]["type"] == "RunCompleted"
    assert whole["run"]["status"] == "completed"
    subjects = {"api", "ledger", "views", "recipes", "mlflow", "memory"}
    assert subjects <= {finding["subject"] for finding in found}
    assert "bad" not in {finding["verdict"] for finding in found}


def test_nobody_there_is_said(environment: dict[str, str]) -> None:
    ended = runledger("launch", "toy", "-e", "x", environment=environment)

    assert ended.returncode == exits.NOT_REACHABLE
    assert f"no Runledger answers at http://127.0.0.1:{environment['RUNLEDGER_PORT']}" in ended.stderr
