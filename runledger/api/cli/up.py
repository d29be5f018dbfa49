"""`runledger up`: everything on one machine, under one data folder, until it is told to stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import FrameType

import click

from runledger.api.cli import preflight
from runledger.api.cli.output import Output, with_output
from runledger.api.cli.preparing import prepare_databases
from runledger.api.cli.processes import Supervisor
from runledger.api.cli.programs import child_environment, mlflow_address, programs
from runledger.api.cli.settings import UpSettings
from runledger.tracker.settings import load

IMPATIENT_SECONDS = 1.0


@click.command()
@click.option("--no-mlflow", is_flag=True, help="Neither an MLflow server nor the sink that feeds one.")
@click.option("--mlflow-later", is_flag=True, help="Start although RUNLEDGER_MLFLOW_URL does not answer yet.")
@with_output
def up(output: Output, no_mlflow: bool, mlflow_later: bool) -> None:
    """Start the API, a worker, the projections and MLflow, and keep them up until Ctrl-C.

    SQLite and the in-memory broker under RUNLEDGER_DATA, unless RUNLEDGER_LEDGER_URL,
    RUNLEDGER_VIEWS_URL and RUNLEDGER_BROKER_URL say otherwise.
    """
    settings = load(UpSettings, os.environ)
    stop = threading.Event()
    with (
        stopping_on_signals(stop),
        running(
            settings, os.environ, output, stop, with_mlflow=not no_mlflow, mlflow_later=mlflow_later
        ) as supervisor,
    ):
        if not stop.is_set():
            announce(settings, output, with_mlflow=not no_mlflow)
            supervisor.run(stop)
        output.say("stopping")


@contextmanager
def running(
    settings: UpSettings,
    environ: Mapping[str, str],
    output: Output,
    stop: threading.Event,
    *,
    with_mlflow: bool,
    mlflow_later: bool = False,
) -> Iterator[Supervisor]:
    """Checks, migrations, and then all processes, ready; they are stopped at the end, whatever happens."""
    with ExitStack() as stack:
        check(settings, with_mlflow=with_mlflow, mlflow_later=mlflow_later)
        stack.enter_context(preflight.sole_use(settings.data))
        environment = child_environment(settings, environ, with_mlflow=with_mlflow)
        prepare_databases(settings.host, environment)
        wanted = programs(settings, environment, with_mlflow=with_mlflow)
        supervisor = Supervisor(wanted, settings.data / "logs")
        stack.callback(supervisor.stop)
        supervisor.start(stop, settings.ready_seconds, lambda name: output.say(f"  {name} is ready"))
        yield supervisor


def check(settings: UpSettings, *, with_mlflow: bool, mlflow_later: bool) -> None:
    """Raises SetupProblem before anything has been made or started."""
    preflight.check_port_is_free(settings.host, settings.port, "RUNLEDGER_PORT")
    if with_mlflow and settings.mlflow_url is None:
        preflight.check_port_is_free("127.0.0.1", settings.mlflow_port, "RUNLEDGER_MLFLOW_PORT")
    elif with_mlflow and settings.mlflow_url is not None and not mlflow_later:
        preflight.check_mlflow_answers(settings.mlflow_url)
    preflight.check_data_folder(settings.data)


def announce(settings: UpSettings, output: Output, *, with_mlflow: bool) -> None:
    addresses = {"api": f"{settings.address}/api/v1", "docs": f"{settings.address}/schema"}
    if with_mlflow:
        addresses["mlflow"] = mlflow_address(settings)
    addresses["data"] = str(settings.data.absolute())
    output.fields("Runledger is up", addresses)


@contextmanager
def stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    """The first SIGINT or SIGTERM sets `stop`; a later SIGINT interrupts the stopping itself.

    Not one that comes with the first: a terminal and a wrapper may both send it.
    """
    asked_at: list[float] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked_at.append(time.monotonic())
        stop.set()
        if number == signal.SIGINT and asked_at[-1] - asked_at[0] > IMPATIENT_SECONDS:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
