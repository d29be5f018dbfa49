"""`runledger cancel`, `pause`, `resume` and `retry`: a run is told to stop, or to go on."""

from __future__ import annotations

import time

import click

from runledger.api.answers import Written
from runledger.api.cli.connection import connect, find_run
from runledger.api.cli.output import Output, with_output
from runledger.api.client import Client

POLL_SECONDS = 0.5


@click.command()
@click.argument("run")
@click.option("--reason", help="Kept with the request.")
@click.option("--wait", is_flag=True, help="Stay until it has stopped.")
@with_output
def cancel(output: Output, run: str, reason: str | None, wait: bool) -> None:
    """Ask a run to stop at its next step boundary, with a last checkpoint. Asking twice is harmless.

    RUN is its id, the beginning of it, or its name.
    """
    with connect() as client:
        run_id = find_run(client, run)
        _tell(output, client, run_id, client.cancel(run_id, reason), wait)


@click.command()
@click.argument("run")
@click.option("--reason", help="Kept with the request.")
@click.option("--wait", is_flag=True, help="Stay until it has stopped.")
@with_output
def pause(output: Output, run: str, reason: str | None, wait: bool) -> None:
    """Ask a run to stop at its next step boundary, with a checkpoint, until it is resumed.

    RUN is its id, the beginning of it, or its name.
    """
    with connect() as client:
        run_id = find_run(client, run)
        _tell(output, client, run_id, client.pause(run_id, reason), wait)


@click.command()
@click.argument("run")
@click.option("--reason", help="Kept with the request.")
@with_output
def resume(output: Output, run: str, reason: str | None) -> None:
    """Let a paused run go on from its last checkpoint, as a new attempt.

    RUN is its id, the beginning of it, or its name.
    """
    with connect() as client:
        run_id = find_run(client, run)
        _tell(output, client, run_id, client.resume(run_id, reason))


@click.command()
@click.argument("run")
@with_output
def retry(output: Output, run: str) -> None:
    """Let a failed run go on from its last checkpoint, with as many attempts as it had at first.

    RUN is its id, the beginning of it, or its name.
    """
    with connect() as client:
        run_id = find_run(client, run)
        _tell(output, client, run_id, client.retry(run_id))


def _tell(output: Output, client: Client, run_id: str, written: Written, wait: bool = False) -> None:
    """How it stands with the run now, or once nothing of it executes any more."""
    found = client.run(run_id, after=written.position)
    while wait and found.status in ("pausing", "cancelling"):
        time.sleep(POLL_SECONDS)
        found = client.run(run_id)
    output.result(written, [found.status])
