from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from runledger.api import client
from runledger.api.cli import exits
from runledger.api.cli.app import COMMANDS, Commands, exit_of, runledger
from runledger.tracker.errors import BadInput, BadSetting, Fenced, NotFound, StoreUnavailable

PROBLEM = {"title": "No", "detail": "because"}


def test_the_help_lists_every_command_and_every_exit_status() -> None:
    text = CliRunner().invoke(runledger, ["--help"]).output

    for name in COMMANDS:
        assert f"  {name} " in text
    for status, meaning in exits.EXIT_STATUSES.items():
        assert f"{status}  {meaning[:40]}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    answer = CliRunner().invoke(runledger, [name, "--help"])

    assert answer.exit_code == 0
    assert len(answer.output.splitlines()) > 4


def test_an_unknown_command_is_bad_usage() -> None:
    assert CliRunner().invoke(runledger, ["fly"]).exit_code == exits.BAD_USAGE


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (client.NotReachable("http://x", "refused"), exits.NOT_REACHABLE),
        (client.Unavailable(PROBLEM, 503), exits.NOT_REACHABLE),
        (client.TimedOut("late"), exits.NOT_REACHABLE),
        (client.Invalid(PROBLEM, 422), exits.BAD_USAGE),
        (client.NotFound(PROBLEM, 404), exits.BAD_USAGE),
        (client.Refused(PROBLEM, 409), exits.REFUSED),
        (client.ServerFault(PROBLEM, 500), exits.SERVER_FAULT),
        (client.BadAnswer("html"), exits.SERVER_FAULT),
        (BadSetting("RUNLEDGER_PORT", "no number"), exits.SETUP_PROBLEM),
        (StoreUnavailable("sqlite:///x", "disk full"), exits.SETUP_PROBLEM),
        (BadInput("$.x", "unknown"), exits.BAD_USAGE),
        (NotFound("token", "x"), exits.BAD_USAGE),
        (Fenced("run-1", 2), exits.SERVER_FAULT),
    ],
)
def test_an_error_ends_the_command_with_its_words_and_status(error: Exception, status: int) -> None:
    @click.command()
    def fails() -> None:
        raise error

    group = Commands(commands={"fails": fails})
    answer = CliRunner().invoke(group, ["fails"])

    assert answer.exit_code == status == exit_of(error).exit_code
    assert str(error) in answer.stderr


def test_asking_an_api_loads_neither_server_nor_database_nor_jax() -> None:
    heavy = {"litestar", "sqlalchemy", "jax", "mlflow", "alembic"}
    code = f"import sys, runledger.api.cli.launch; print({heavy} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "set()"
