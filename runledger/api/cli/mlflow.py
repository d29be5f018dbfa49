"""`runledger mlflow rebuild` and `diff`: MLflow made anew from the log, and held against it."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click
import msgspec
from sqlalchemy import Engine

from runledger.api.cli.databases import migrated_ledger, migrated_views
from runledger.api.cli.exits import BadUsage, Different, NotReachable, SetupProblem
from runledger.api.cli.output import Output, with_output
from runledger.api.cli.progress import Report, progress_bar
from runledger.projections.mlflow import state
from runledger.projections.mlflow.comparing import Difference, diff, find_runs
from runledger.projections.mlflow.driver import MlflowDriver
from runledger.projections.mlflow.errors import MlflowError
from runledger.projections.mlflow.process import make_reader, serve
from runledger.projections.mlflow.settings import MlflowSettings
from runledger.projections.mlflow.wording import in_words
from runledger.tracker.blobs import Blobs
from runledger.tracker.ids import RunId
from runledger.tracker.settings import StorageSettings, load
from runledger.tracker.store.engine import read
from runledger.tracker.store.log import Log

POLL_SECONDS = 0.2
RUN = click.option("--run", "run", metavar="RUN", help="Only this run: its id, or the beginning of it.")
URL = click.option("--url", help="Another server than the one that the sink writes to.")


class _Sides(msgspec.Struct, frozen=True):
    log: Log
    views: Engine
    driver: MlflowDriver
    settings: MlflowSettings


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """What `diff --json` prints."""

    runs: int
    """How many of the log's runs were compared."""
    differences: list[Difference]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What `rebuild --json` prints."""

    position: int
    """Up to where MLflow was told of the log."""
    runs: int
    quarantined: list[str]
    """Runs that MLflow would not have."""


@click.group()
def mlflow() -> None:
    """What MLflow holds of the log: compare it, make it anew."""


@mlflow.command("diff")
@RUN
@URL
@with_output
def show_diff(output: Output, run: str | None, url: str | None) -> None:
    """Hold MLflow against the log; exit status 1 where they differ.

    Compared is what the mapping says that MLflow should hold (docs/reference/mlflow.md), and that one run of
    MLflow's stands for each run. Points that are not settled yet may be missing there.
    """
    with _sides(url) as sides, progress_bar(output, "comparing") as report:
        run_ids = _chosen(sides.log, run)
        reader = make_reader(sides.log, sides.settings)
        found = list(diff(sides.log, sides.driver, reader, run_ids=run_ids, report=report))
        count = len(run_ids) if run_ids is not None else sum(1 for _ in find_runs(sides.log))
    lines = [f"run {each.run_id}: {in_words(each)}" for each in found]
    output.result(Differences(runs=count, differences=found), lines or [f"no difference in {count} runs"])
    if found:
        raise Different(f"MLflow differs from the log in {len(found)} places")


@mlflow.command("rebuild")
@RUN
@URL
@with_output
def write_anew(output: Output, run: str | None, url: str | None) -> None:
    """Tell MLflow everything from position 0, and wait until it has been told.

    What is there already and right stays; what cannot be put right goes into MLflow's trash and is written
    anew. Does the work itself where no sink is running.
    """
    with _sides(url) as sides:
        run_ids = _chosen(sides.log, run)
        head = sides.log.head()
        if run_ids is None:
            state.rebuild(sides.views)
        else:
            for each in run_ids:
                state.rebuild_run(sides.views, each)
        with _served(sides), progress_bar(output, "telling MLflow") as report:
            status = _await(sides, run_ids, head, report)
    refused = [each.run_id for each in status.quarantined]
    done = Written(position=status.position, runs=status.mirrored_runs, quarantined=refused)
    lines = [f"MLflow has been told of {done.runs} runs, up to position {done.position}"]
    output.result(
        done, lines + [f"run {each.run_id} is refused: {each.reason}" for each in status.quarantined]
    )


def _await(sides: _Sides, run_ids: list[RunId] | None, head: int, report: Report) -> state.SinkStatus:
    while True:
        with read(sides.views) as conn:
            status = state.status(conn)
        report(min(status.position, head), head)
        waiting = {each.run_id for each in status.quarantined if each.reason == state.ASKED_FOR}
        if status.position >= head and not waiting & set(run_ids or waiting):
            return status
        if status.is_reachable is False:
            raise NotReachable(f"MLflow does not answer: {status.problem}")
        threading.Event().wait(POLL_SECONDS)


@contextmanager
def _served(sides: _Sides) -> Iterator[None]:
    """A sink of our own, which works as soon as no other holds the lease."""
    stop = threading.Event()
    blobs = Blobs(load(StorageSettings, os.environ).blobs)
    arguments = (sides.log.engine, sides.views, blobs, sides.driver, sides.settings, stop)
    thread = threading.Thread(target=serve, args=arguments, name="mlflow-sink", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _chosen(log: Log, word: str | None) -> list[RunId] | None:
    """None: all of them."""
    if word is None:
        return None
    found = [run_id for run_id in find_runs(log) if run_id.startswith(word)]
    if len(found) == 1:
        return found
    raise BadUsage(
        f"{word!r} may be any of {', '.join(found)}" if found else f"no run's id begins with {word!r}"
    )


@contextmanager
def _sides(url: str | None) -> Iterator[_Sides]:
    with migrated_ledger() as ledger, migrated_views() as views:
        settings = _settings(views, url)
        log = Log(ledger)
        try:
            driver = _driver(settings.mlflow_url)
            driver.ping()
            yield _Sides(log, views, driver, settings)
        except MlflowError as problem:
            raise NotReachable(f"MLflow at {settings.mlflow_url}: {problem}") from problem
        finally:
            log.close()


def _settings(views: Engine, url: str | None) -> MlflowSettings:
    """The server that is named, else that of the environment, else the one that the sink wrote to last."""
    with read(views) as conn:
        known = url or os.environ.get("RUNLEDGER_MLFLOW_URL") or state.status(conn).url
    if not known:
        raise SetupProblem("no MLflow server is known: --url, or RUNLEDGER_MLFLOW_URL")
    return load(MlflowSettings, os.environ | {"RUNLEDGER_MLFLOW_URL": known})


def _driver(url: str) -> MlflowDriver:
    """Imported when it is wanted: MLflow's client takes seconds."""
    remote = importlib.import_module("runledger.projections.mlflow.remote")
    remote.prepare_environment(os.environ)
    driver: MlflowDriver = remote.RemoteMlflow(url)
    return driver
