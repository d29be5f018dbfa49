"""What the exit statuses of `runledger` mean, and the errors that carry them.

Exit (click.ClickException)
├── RunDidNotComplete    1
├── Different            1
├── BadUsage             2
├── NotReachable         3
├── Refused              4
├── SetupProblem         5
├── ServerFault          6
└── Altered              7
"""

from __future__ import annotations

from collections.abc import Mapping

import click

OK = 0
RUN_DID_NOT_COMPLETE = 1
DIFFERENT = 1
BAD_USAGE = 2
NOT_REACHABLE = 3
REFUSED = 4
SETUP_PROBLEM = 5
SERVER_FAULT = 6
ALTERED = 7
INTERRUPTED = 130

EXIT_STATUSES: Mapping[int, str] = {
    OK: "done",
    RUN_DID_NOT_COMPLETE: "the run ended, but did not complete; or MLflow differs from the log",
    BAD_USAGE: "bad usage or input: an unknown option, run, recipe or spec key, or a value that does not fit",
    NOT_REACHABLE: "the API, or something that it needs, does not answer",
    REFUSED: "understood and refused: not allowed in the state things are in, or without a valid token",
    SETUP_PROBLEM: "this machine is not ready: data folder, disk, port, database, MLflow or a setting",
    SERVER_FAULT: "a fault in Runledger itself; its log says more",
    ALTERED: "the log or the export is not what was written and sealed; the message names the first place",
    INTERRUPTED: "interrupted from the keyboard",
}


class Exit(click.ClickException):
    """An error that ends the command; the message goes to stderr, the status to the shell."""

    exit_code = SERVER_FAULT


class RunDidNotComplete(Exit):
    """The run that was waited for failed or was cancelled."""

    exit_code = RUN_DID_NOT_COMPLETE


class Different(Exit):
    """Two things that should be alike are not."""

    exit_code = DIFFERENT


class BadUsage(Exit):
    """Something that the user gave does not fit."""

    exit_code = BAD_USAGE


class NotReachable(Exit):
    """Nobody answers."""

    exit_code = NOT_REACHABLE


class Refused(Exit):
    """The request was understood and refused."""

    exit_code = REFUSED


class SetupProblem(Exit):
    """The machine, not the request, is at fault."""

    exit_code = SETUP_PROBLEM


class ServerFault(Exit):
    """Runledger is at fault."""

    exit_code = SERVER_FAULT


class Altered(Exit):
    """What was verified is not what was written and sealed."""

    exit_code = ALTERED
