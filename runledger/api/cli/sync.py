"""`runledger sync`: what trainings have left on this machine's disk, brought to the tracker."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
import msgspec
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from runledger.api.cli.exits import BadUsage, Exit, NotReachable, Refused, SetupProblem
from runledger.api.cli.output import Output, with_output
from runledger.api.cli.sentences import size
from runledger.api.courier.door import Door
from runledger.api.courier.errors import Denied
from runledger.api.courier.settings import CourierSettings
from runledger.api.courier.syncing import Synced, Syncing, Watcher, runs_to_sync
from runledger.api.tracking.folders import RunFolder
from runledger.api.tracking.settings import TrackingSettings
from runledger.tracker.settings import load

RETRY_SECONDS = 10.0
"""A person waits at the prompt: not longer than this for a tracker that does not answer."""
WORDS = {
    "sent": "sent",
    "told already": "nothing to send",
    "training": "left alone: it is being trained",
    "shipping": "left alone: its courier ships it",
    "refused": "refused",
    "unreachable": "not sent",
    "skipped": "skipped",
}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each run."""

    runs: list[Synced]
    problem: str = ""


@click.command()
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@with_output
def sync(output: Output, folder: Path | None) -> None:
    """Send what runs of one's own have left on this disk to the tracker.

    FOLDER is a journals folder, RUNLEDGER_JOURNALS by default, or that of one run.

    Safe at any time, and as often as one likes: nothing is sent twice, and what is being
    trained, or shipped by its courier, is left alone. A run is removed from the disk once
    all of it is told and it can never go on. What cannot be read is named, and the rest sent.
    """
    settings = load(TrackingSettings, os.environ)
    lease_seconds = load(CourierSettings, os.environ).lease_seconds
    try:
        connect = partial(Door, settings.address, settings.token)
        Door(settings.address).close()
    except ValueError as problem:
        raise BadUsage(str(problem)) from None
    syncing = Syncing(connect, lease_seconds=lease_seconds, retry_seconds=RETRY_SECONDS)
    done, failure = _sync_all(output, syncing, runs_to_sync(folder or settings.journals))
    report = Report(runs=done, problem="" if failure is None else failure.format_message())
    output.result(report, [_summary(done)])
    if failure is not None:
        raise failure


def _sync_all(output: Output, syncing: Syncing, runs: list[RunFolder]) -> tuple[list[Synced], Exit | None]:
    """What became of each, and with what to end: the first that speaks against all the others ends it."""
    done: list[Synced] = []
    with _watching(output) as watcher:
        for folder in runs:
            try:
                done.append(syncing.sync(folder, watcher))
            except FileNotFoundError:
                continue  # its courier has told all of it meanwhile
            except Denied as denied:
                return done, Refused(str(denied))
            _say(output, done[-1])
            if done[-1].outcome == "unreachable":
                return done, NotReachable(f"no Runledger answers: {done[-1].problem}")
    return done, _what_is_left(done)


def _what_is_left(done: list[Synced]) -> Exit | None:
    """What could not be read says more of the machine than of what the tracker thinks of the rest."""
    refused = [each.run_id for each in done if each.outcome == "refused" or each.set_aside]
    skipped = [each.run_id for each in done if each.outcome == "skipped"]
    parts = [f"not all was taken: run {', '.join(refused)}"] if refused else []
    if skipped:
        return SetupProblem("; ".join([*parts, f"not all could be read: run {', '.join(skipped)}"]))
    return Refused(parts[0]) if parts else None


@contextmanager
def _watching(output: Output) -> Iterator[Watcher]:
    """A bar for each run on a terminal, nothing elsewhere."""
    if not output.is_live:
        yield lambda folder, shipped, whole: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=output.console, transient=True) as progress:
        tasks = {}

        def watch(folder: RunFolder, shipped: int, whole: int) -> None:
            if folder.run_id not in tasks:
                tasks[folder.run_id] = progress.add_task(f"run {folder.run_id[:12]}")
            progress.update(tasks[folder.run_id], completed=shipped, total=whole)

        yield watch


def _say(output: Output, synced: Synced) -> None:
    """One line of a run, and where to look at what was refused."""
    what = WORDS[synced.outcome]
    if synced.outcome == "sent":
        what += f": {_sent(synced)}"
    elif synced.problem:
        what += f": {synced.problem}"
    of = f" of {synced.experiment}" if synced.outcome != "skipped" else ""
    output.say(f"run {synced.run_id}{of}: {what}")
    if synced.notice:
        output.say(f"  {synced.notice}")
    for path in synced.set_aside:
        output.say(f"  what the tracker did not take: {path}")


def _sent(synced: Synced) -> str:
    sent = synced.sent
    parts = [f"{sent.attempts} {'attempt' if sent.attempts == 1 else 'attempts'}", f"{sent.points:,} points"]
    if sent.files:
        parts.append(f"{sent.files} {'file' if sent.files == 1 else 'files'} ({size(sent.file_bytes)})")
    if sent.output_bytes:
        parts.append(f"{size(sent.output_bytes)} of output")
    return ", ".join(parts)


def _summary(done: list[Synced]) -> str:
    if not done:
        return "nothing to send"
    counted = Counter(WORDS[each.outcome] for each in done)
    return ", ".join(f"{number} {word}" for word, number in counted.items())
