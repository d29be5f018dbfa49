"""`runledger launch`: request a run from the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from runledger.api.cli.connection import connect
from runledger.api.cli.exits import BadUsage
from runledger.api.cli.output import Output, with_output
from runledger.api.cli.watch import follow_to_the_end

JsonObject = dict[str, Any]


Command = TypeVar("Command", bound=Callable[..., Any])


def limits_options(command: Command) -> Command:
    """What bounds a run's attempts, the same for all that start runs."""
    seconds = click.FloatRange(min=0, min_open=True)
    for option in (
        click.option("--no-progress-seconds", type=seconds, help="Without any movement: then it has failed."),
        click.option("--wall-seconds", type=seconds, help="One attempt at most; then the run has failed."),
        click.option("--attempts", type=click.IntRange(min=1), help="Lost ones at most: then it has failed."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("recipe")
@click.option("--experiment", "-e", required=True, help="Its name or id; a new name makes a new experiment.")
@click.option("--preset", "-p", help="A named starting point of the recipe.")
@click.option("--spec", "spec_file", help="A JSON file of values over the preset's; - is stdin.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="One value: --set optimizer.rate=0.001"
)
@click.option("--name", help="What people call the run.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label the worker must have.")
@click.option("--device", type=click.Choice(["any", "cpu", "gpu", "tpu"]))
@limits_options
@click.option("--priority", type=int, help="Higher is claimed first.")
@click.option("--key", help="Idempotency key: a repeated launch with the same key starts nothing new.")
@click.option("--watch", is_flag=True, help="Stay until it ends, and show its progress.")
@with_output
def launch(
    output: Output,
    recipe: str,
    experiment: str,
    spec_file: str | None,
    settings: tuple[str, ...],
    tags: tuple[str, ...],
    labels: tuple[str, ...],
    device: str | None,
    attempts: int | None,
    wall_seconds: float | None,
    no_progress_seconds: float | None,
    key: str | None,
    watch: bool,
    **options: Any,
) -> None:
    """Request a training run of RECIPE. A worker that serves it starts it."""
    with connect() as client:
        launched = client.launch(
            recipe,
            experiment=experiment,
            spec=read_spec(spec_file, settings),
            tags=pairs(tags),
            worker_labels=pairs(labels),
            device=None if device is None else {"kind": device},
            limits=limits(attempts, wall_seconds, no_progress_seconds),
            idempotency_key=key,
            **options,
        )
        if watch:
            output.say(f"launched {launched.run_id}")
            follow_to_the_end(client, launched.run_id, output)
        else:
            output.result(launched, [launched.run_id])


def limits(
    attempts: int | None, wall_seconds: float | None, no_progress_seconds: float | None
) -> JsonObject | None:
    """Those that are given, as the API takes them."""
    asked = {
        "attempts": attempts,
        "wall_seconds": wall_seconds,
        "no_progress_seconds": no_progress_seconds,
    }
    return {name: value for name, value in asked.items() if value is not None} or None


def read_spec(file: str | None, settings: Iterable[str]) -> JsonObject | None:
    """The values of the file, with the single settings laid over them. Raises BadUsage."""
    values = {} if file is None else _read_file(file)
    for path, text in pairs(settings).items():
        _set(values, path, _value(text))
    return values or None


def pairs(items: Iterable[str]) -> dict[str, str]:
    """`KEY=VALUE` words as a mapping. Raises BadUsage."""
    found: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not key or not equals:
            raise BadUsage(f"{item!r} is not KEY=VALUE")
        found[key] = value
    return found


def _read_file(file: str) -> JsonObject:
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return msgspec.json.decode(content, type=dict[str, Any])
    except OSError as problem:
        raise BadUsage(f"{file}: {(problem.strerror or str(problem)).lower()}") from problem
    except msgspec.MsgspecError as problem:
        raise BadUsage(f"{file} is not a JSON object: {problem}") from problem


def _set(values: JsonObject, path: str, value: Any) -> None:
    *parents, leaf = path.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise BadUsage(f"{path}: {parent} is a value, not an object")
    values[leaf] = value


def _value(text: str) -> Any:
    """JSON where it is JSON, else the text itself."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
