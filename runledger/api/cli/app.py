"""The group of all commands, and the one place where errors become exit statuses."""

from __future__ import annotations

import importlib
import keyword
import logging
from collections.abc import Mapping
from typing import Any

import click

from runledger.api import client
from runledger.api.cli import exits
from runledger.api.cli.exits import EXIT_STATUSES
from runledger.tracker.errors import BadInput, BadSetting, NotFound, Refused, StoreUnavailable, TrackerError
from runledger.tracker.seal.errors import Contradicted, ExportInvalid, NotSealed, SealError

COMMANDS: Mapping[str, str] = {
    "up": "runledger.api.cli.up",
    "demo": "runledger.api.cli.demo",
    "launch": "runledger.api.cli.launch",
    "fork": "runledger.api.cli.fork",
    "watch": "runledger.api.cli.watch",
    "show": "runledger.api.cli.runs",
    "cancel": "runledger.api.cli.stopping",
    "pause": "runledger.api.cli.stopping",
    "resume": "runledger.api.cli.stopping",
    "retry": "runledger.api.cli.stopping",
    "sync": "runledger.api.cli.sync",
    "recipe": "runledger.api.cli.recipe",
    "try": "runledger.api.cli.try_",
    "migrate": "runledger.api.cli.databases",
    "token": "runledger.api.cli.tokens",
    "verify": "runledger.api.cli.verify",
    "export": "runledger.api.cli.export",
    "seal": "runledger.api.cli.seal",
    "restored": "runledger.api.cli.seal",
    "rebuild": "runledger.api.cli.rebuild",
    "mlflow": "runledger.api.cli.mlflow",
    "doctor": "runledger.api.cli.doctor",
}
"""Each command and the module that holds it; only the one that is asked for is imported."""

_EXITS: tuple[tuple[type[Exception], type[exits.Exit]], ...] = (
    (client.NotReachable, exits.NotReachable),
    (client.Unavailable, exits.NotReachable),
    (client.TimedOut, exits.NotReachable),
    (client.Invalid, exits.BadUsage),
    (client.NotFound, exits.BadUsage),
    (client.Refused, exits.Refused),
    (client.ClientError, exits.ServerFault),
    (BadSetting, exits.SetupProblem),
    (StoreUnavailable, exits.SetupProblem),
    (BadInput, exits.BadUsage),
    (NotFound, exits.BadUsage),
    (Refused, exits.Refused),
    (Contradicted, exits.Altered),
    (ExportInvalid, exits.Altered),
    (NotSealed, exits.Refused),
    (SealError, exits.SetupProblem),
    (TrackerError, exits.ServerFault),
)


class Commands(click.Group):
    """A group whose commands are imported when they are used, and may raise any error of ours."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [*COMMANDS, *super().list_commands(context)]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return super().get_command(context, name)
        attribute = f"{name}_" if keyword.iskeyword(name) else name
        command: click.Command = getattr(importlib.import_module(COMMANDS[name]), attribute)
        return command

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (client.ClientError, TrackerError) as error:
            raise exit_of(error) from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(exits.INTERRUPTED) from None


def exit_of(error: Exception) -> exits.Exit:
    """The exit that stands for an error: that of the first line of the table that fits."""
    kind = next((kind for cause, kind in _EXITS if isinstance(error, cause)), exits.ServerFault)
    return kind(str(error))


def _epilog() -> str:
    lines = (f"{status:>4}  {meaning}" for status, meaning in EXIT_STATUSES.items())
    return "\b\nExit status:\n" + "\n".join(lines)


@click.group(cls=Commands, epilog=_epilog(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="runledger")
@click.option("-v", "--verbose", is_flag=True, help="Say more of what happens, on stderr.")
def runledger(verbose: bool) -> None:
    """The ledger of record for model training."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )


def main() -> None:
    """The entry point of the command `runledger`."""
    runledger(prog_name="runledger")
