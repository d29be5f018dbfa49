"""`runledger try`: a recipe in the foreground, with no server.

The process that was the command becomes `trainer.trying`: nothing here needs anything of `trainer`, and
Ctrl-C and exit statuses need nobody in between.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from runledger.api.cli.exits import BadUsage
from runledger.api.cli.launch import read_spec
from runledger.tracker.schemas import merge
from runledger.tracker.spec import JsonObject

REHEARSALS = Path(".runledger") / "rehearsals"


class Asked(msgspec.Struct, kw_only=True):
    """A launch as far as a rehearsal cares: what else a launch says has no effect without a server."""

    recipe: str
    preset: str | None = None
    spec: JsonObject = {}


@click.command("try")
@click.argument("spec", required=False)
@click.option("--preset", "-p", help="A named starting point of the recipe.")
@click.option("--spec", "spec_file", help="A JSON file of values over the preset's; - is stdin.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="One value: --set optimizer.rate=0.001"
)
@click.option("--into", type=click.Path(path_type=Path), help="A new folder for all that it leaves.")
@click.option("--resume", type=click.Path(path_type=Path), help="The folder of a rehearsal to go on with.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON, for machines.")
def try_(
    spec: str | None,
    preset: str | None,
    spec_file: str | None,
    settings: tuple[str, ...],
    into: Path | None,
    resume: Path | None,
    as_json: bool,
) -> None:
    """Try a recipe here and now, with no server.

    SPEC is RECIPE, RECIPE:PRESET, or a JSON file with the body of a launch. Datasets and benchmarks are
    described: {"generator": NAME, "options": {…}} or {"file": PATH} in the place of a dataset.

    Ctrl-C stops at the next step boundary with a checkpoint; --resume goes on from there.
    """
    if resume is not None:
        if spec or preset or spec_file or settings or into:
            raise BadUsage("--resume goes on with the spec that the folder holds: give nothing else")
        _become({"folder": str(resume), "is_resumed": True, "as_json": as_json})
    if spec is None:
        raise BadUsage("what is to be tried? RECIPE, RECIPE:PRESET or a JSON file with a launch")
    asked = read_asked(spec, preset, read_spec(spec_file, settings) or {})
    folder = into or REHEARSALS / f"{asked.recipe}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    _become({**msgspec.to_builtins(asked), "folder": str(folder), "as_json": as_json})


def read_asked(spec: str, preset: str | None, values: JsonObject) -> Asked:
    """What the words ask for: options lie over what a file says. Raises BadUsage."""
    if spec.endswith(".json"):
        found = _read_launch(Path(spec))
    else:
        recipe, _, named = spec.partition(":")
        found = Asked(recipe=recipe, preset=named or None)
    return Asked(recipe=found.recipe, preset=preset or found.preset, spec=merge(found.spec, values))


def _read_launch(file: Path) -> Asked:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Asked)
    except OSError as problem:
        raise BadUsage(f"{file}: {(problem.strerror or str(problem)).lower()}") from problem
    except msgspec.MsgspecError as problem:
        raise BadUsage(f"{file} is not the body of a launch: {problem}") from problem


def _become(request: dict[str, Any]) -> None:
    """Does not return."""
    sys.stdout.flush()
    words = [sys.executable, "-P", "-m", "runledger.trainer.trying", msgspec.json.encode(request).decode()]
    os.execv(sys.executable, words)  # noqa: S606 — the very interpreter that runs this
