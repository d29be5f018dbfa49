"""`runledger show --as-of`: a run as it stood."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from runledger.api.cli import exits
from runledger.api.cli import runs as command
from runledger.api.cli.app import runledger
from runledger.api.client import Client
from tests.api.conftest import Api, serving
from tests.conftest import Databases


@pytest.fixture
def renamed(
    sqlite_databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Api, str, int]]:
    """An API that the command speaks to, a run of it, and the position before it was renamed."""
    with serving(sqlite_databases.migrated(), tmp_path) as api:
        inner = api.client._transport
        transport = Reused(inner.handle_request)
        monkeypatch.setattr(command, "connect", lambda: Client(str(api.client.base_url), transport=transport))
        run_id = api.launch(name="first")
        before = api.backend.log.head()
        api.client.patch(f"/api/v1/runs/{run_id}", json={"name": "second"})
        api.catch_up()
        yield api, run_id, before


class Reused(httpx.BaseTransport):
    """The way to the API in this process, which stays open when a client that used it is closed."""

    def __init__(self, handle: Callable[[httpx.Request], httpx.Response]) -> None:
        self.handle_request = handle  # type: ignore[method-assign]


def show(*words: str) -> Result:
    return CliRunner().invoke(runledger, ["show", *words])


def test_a_run_is_shown_as_it_stood(renamed: tuple[Api, str, int]) -> None:
    _, run_id, before = renamed
    then = show(run_id, "--as-of", str(before))
    assert then.exit_code == exits.OK, then.output
    assert then.stdout.startswith(f"run {run_id} as of position {before}\n")
    assert "first" in then.stdout and "second" not in then.stdout
    assert "second" in show(run_id).stdout
    machines = json.loads(show(run_id, "--as-of", str(before), "--json").stdout)
    assert (machines["as_of"], machines["run"]["name"]) == (before, "first")
    assert {fact["type"] for fact in machines["events"]} == {"RunRequested"}


def test_what_is_still_to_come_and_what_is_no_moment_are_refused(renamed: tuple[Api, str, int]) -> None:
    api, run_id, _ = renamed
    late = show(run_id, "--as-of", str(api.backend.log.head() + 1))
    assert late.exit_code == exits.REFUSED
    assert f"the log ends at position {api.backend.log.head()}" in late.stderr
    wrong = show(run_id, "--as-of", "yesterday")
    assert wrong.exit_code == exits.BAD_USAGE
    assert "as_of" in wrong.stderr
