"""`python -P -m runledger.trainer.trying REQUEST`: try a recipe here and now; JSON (`settled.Request`).

Ctrl-C asks for a stop at the next step boundary, with a checkpoint; a second one ends it at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from runledger.tracker.errors import BadInput, BadSetting
from runledger.tracker.settings import load
from runledger.trainer import recipes
from runledger.trainer.errors import TrainerError
from runledger.trainer.recipe import Recipe
from runledger.trainer.settings import TrainerSettings
from runledger.trainer.sources import told
from runledger.trainer.trying.errors import RehearsalRefused
from runledger.trainer.trying.running import Summary, run
from runledger.trainer.trying.settled import Request, Settled, begin, go_on, installed_here
from runledger.trainer.trying.view import view_on

COMPLETED = 0
DID_NOT_COMPLETE = 1
BAD_USAGE = 2
SETUP_PROBLEM = 5
INTERRUPTED = 130
"""As the exit statuses of `runledger`."""


def main(arguments: list[str]) -> int:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("absl").setLevel(logging.ERROR)
    request = msgspec.json.decode(arguments[0], type=Request)
    answer = os.dup(1)
    if request.as_json:
        os.dup2(2, 1)
    try:
        plan = _settle(request)
        with _stop_on_signals() as stop:
            summary = _run(request, plan, stop)
    except (BadInput, TrainerError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return BAD_USAGE
    except (BadSetting, OSError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return SETUP_PROBLEM
    except KeyboardInterrupt:
        return INTERRUPTED
    _tell(summary, answer, as_json=request.as_json)
    return _status(summary)


def _settle(request: Request) -> Settled:
    settings = load(TrainerSettings, os.environ)
    if request.is_resumed:
        return go_on(request)
    return begin(request, installed_here(settings.recipes, settings.scorers))


def _run(request: Request, plan: Settled, stop: Stop) -> Summary:
    recipe = _load(plan)
    view = view_on(sys.stdout)
    if recipes.digest_of(recipe, plan.reference) != plan.digest:
        view.say(f"{plan.reference} has changed since this rehearsal began")
    try:
        return run(plan, recipe, Path(request.folder), view, stop.asked)
    finally:
        view.close()


def _load(plan: Settled) -> Recipe[Any]:
    """Raises `RehearsalRefused` for what was there when the rehearsal began and is not any more."""
    try:
        plan.scorers()
        return recipes.load(plan.reference)
    except (Exception, SystemExit) as error:
        raise RehearsalRefused(f"recipe {plan.recipe!r} cannot be loaded: {told(error)}") from error


class Stop:
    """Whether, and by which signal, a stop was asked for."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Once; the next Ctrl-C does what it does everywhere."""
        self.asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.write(2, b"\nstopping at the next step boundary; Ctrl-C again ends it at once\n")


@contextlib.contextmanager
def _stop_on_signals() -> Iterator[Stop]:
    stop = Stop()
    before = {number: signal.signal(number, stop.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(summary: Summary, answer: int, *, as_json: bool) -> None:
    """`answer` is stdout as it was given; with `--json` all but the summary has gone to stderr."""
    sys.stdout.flush()
    told = msgspec.json.encode(summary).decode() if as_json else "\n".join(summary.lines())
    with os.fdopen(answer, "w", encoding="utf-8", errors="backslashreplace") as stdout:
        stdout.write(told + "\n")


def _status(summary: Summary) -> int:
    if summary.outcome in ("stopped", "interrupted"):
        return INTERRUPTED
    return COMPLETED if summary.outcome == "completed" else DID_NOT_COMPLETE


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except BaseException:  # noqa: BLE001 — the process ends below, whatever threads a recipe left behind
        traceback.print_exc()
        status = DID_NOT_COMPLETE
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
