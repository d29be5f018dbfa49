"""`runledger fork`: a new run from a checkpoint of another, from the command line."""

from __future__ import annotations

from typing import Any

import click

from runledger.api.cli.connection import connect, find_run
from runledger.api.cli.launch import limits, limits_options, pairs, read_spec
from runledger.api.cli.output import Output, with_output
from runledger.api.cli.watch import follow_to_the_end


@click.command()
@click.argument("run")
@click.option("--step", type=click.IntRange(min=0), help="Of the checkpoint; by default the last one.")
@click.option("--spec", "spec_file", help="A JSON file of values over those of the run; - is stdin.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="One value: --set optimizer.rate=0.001"
)
@click.option("--experiment", "-e", help="Its name or id; by default that of the run.")
@click.option("--name", help="What people call the new run.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="In place of those of the run.")
@limits_options
@click.option("--priority", type=int, help="Higher is claimed first.")
@click.option("--key", help="Idempotency key: a repeated fork with the same key starts nothing new.")
@click.option("--watch", is_flag=True, help="Stay until it ends, and show its progress.")
@with_output
def fork(
    output: Output,
    run: str,
    spec_file: str | None,
    settings: tuple[str, ...],
    tags: tuple[str, ...],
    attempts: int | None,
    wall_seconds: float | None,
    no_progress_seconds: float | None,
    key: str | None,
    watch: bool,
    **options: Any,
) -> None:
    """Request a new run that begins from a checkpoint of RUN, with changed values. RUN stays as it is.

    RUN is its id, the beginning of it, or its name. What is not given is as in RUN.
    """
    with connect() as client:
        launched = client.fork(
            find_run(client, run),
            spec=read_spec(spec_file, settings),
            tags=pairs(tags) or None,
            limits=limits(attempts, wall_seconds, no_progress_seconds),
            idempotency_key=key,
            **options,
        )
        if watch:
            output.say(f"launched {launched.run_id}")
            follow_to_the_end(client, launched.run_id, output)
        else:
            output.result(launched, [launched.run_id])
