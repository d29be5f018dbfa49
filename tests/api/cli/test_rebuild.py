"""`runledger rebuild`: its words and exit statuses."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, inspect

from runledger.api.cli import exits
from runledger.api.cli.app import runledger
from runledger.projections import runs
from runledger.projections.builds import active, reading
from runledger.projections.errors import RebuildStopped
from runledger.projections.exclusion import alone
from runledger.projections.runner import Runner
from runledger.tracker.store.engine import open_ledger, open_views
from runledger.tracker.store.log import Log
from tests.conftest import Databases
from tests.projections.conftest import Story, rows_of
from tests.projections.lives import tell_lives


class Told:
    """A log with some lives, its read models, and the command that works on both."""

    def __init__(self, ledger_url: str, views_url: str) -> None:
        self.environment = {"RUNLEDGER_LEDGER_URL": ledger_url, "RUNLEDGER_VIEWS_URL": views_url}
        self.ledger: Engine = open_ledger(ledger_url)
        self.views: Engine = open_views(views_url)
        self.log = Log(self.ledger)
        tell_lives(Story(self.log), random.Random(21))
        Runner(self.log, self.views).catch_up()

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(runledger, ["rebuild", *words], env=self.environment)

    def close(self) -> None:
        self.log.close()
        self.ledger.dispose()
        self.views.dispose()


@pytest.fixture
def told(sqlite_databases: Databases) -> Iterator[Told]:
    told = Told(*sqlite_databases.migrated())
    yield told
    told.close()


def test_everything_is_rebuilt(told: Told) -> None:
    live = rows_of(told.views)
    done = told.run()
    assert done.exit_code == exits.OK
    assert done.stdout.startswith(
        "rebuilt experiments, runs, metrics, logs, evaluations, datasets, benchmarks\n"
        f"up to position {told.log.head()}: {told.log.head()} events in "
    )
    assert rows_of(told.views) == live


def test_some_are_rebuilt_and_machines_are_told(told: Told) -> None:
    done = told.run("metrics", "runs", "--json")
    found = json.loads(done.stdout)
    assert (found["projections"], found["position"]) == (["runs", "metrics"], told.log.head())
    with reading(told.views) as conn:
        builds = active(conn)
    assert (builds["runs"], builds["metrics"], builds["logs"]) == (1, 1, 0)


def test_an_unknown_projection_is_named(told: Told) -> None:
    done = told.run("walks")
    assert done.exit_code == exits.BAD_USAGE
    assert "no projection 'walks': experiments, runs, metrics" in done.stderr


def test_a_second_one_is_refused(told: Told) -> None:
    with alone(told.views):
        done = told.run()
    assert done.exit_code == exits.REFUSED
    assert "another rebuild is at work" in done.stderr


def test_a_poison_event_is_named(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise RebuildStopped("runs", 7, "RunNoted", ValueError("no"))

    monkeypatch.setattr("runledger.projections.rebuilding.rebuild", stop)
    done = told.run()
    assert done.exit_code == exits.SERVER_FAULT
    assert "runs cannot take the event at position 7 (RunNoted): ValueError: no" in done.stderr
    assert "the old tables go on answering" in done.stderr


def test_what_was_left_is_dropped(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runledger.projections.rebuilding.fact_of_row", interrupted)
    assert told.run("runs").exit_code == exits.INTERRUPTED
    monkeypatch.undo()
    assert "runs_v1_b1" in inspect(told.views).get_table_names()
    done = told.run("--abandon")
    assert (done.exit_code, done.stdout) == (exits.OK, "dropped what 1 unfinished builds had left\n")
    assert "runs_v1_b1" not in inspect(told.views).get_table_names()
    with reading(told.views) as conn:
        assert runs.get_run(conn, "r1") is not None


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_there_must_be_databases() -> None:
    environment = {"RUNLEDGER_DATA": "/nowhere"}
    done = CliRunner().invoke(runledger, ["rebuild"], env=environment)
    assert done.exit_code == exits.SETUP_PROBLEM
    assert "runledger migrate" in done.stderr
