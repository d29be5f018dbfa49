"""`runledger watch`: a run's life as it happens: a moving bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Protocol

import click
import msgspec
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from api.answers import Fact, MetricSummary, Run
from api.cli.connection import connect
from api.cli.exits import RunDidNotComplete
from api.cli.output import Output, with_output
from api.cli.sentences import how_far, latest, sentence, summary
from api.client import Client

POLL_SECONDS = 0.5
LINE_SECONDS = 5.0
"""Without a terminal: a line of progress no more often than this."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The run now, and what has happened since the last look."""

    run: Run
    facts: list[Fact]
    metrics: list[MetricSummary]


class View(Protocol):
    """Something that shows snapshots."""

    def show(self, snapshot: Snapshot) -> None: ...

    def close(self) -> None: ...


@click.command()
@click.argument("run_id")
@with_output
def watch(output: Output, run_id: str) -> None:
    """Show the progress of a run until it ends. Exit status 0 only if it completed.

    With --json, one line of JSON for each event of its life.
    """
    with connect(retry_seconds=30) as client:
        follow_to_the_end(client, run_id, output)


def follow_to_the_end(client: Client, run_id: str, output: Output) -> Run:
    """Show it until it ends. Raises RunDidNotComplete if that is how it ends."""
    view = view_for(output)
    try:
        for snapshot in snapshots(client, run_id):
            view.show(snapshot)
            run = snapshot.run
    finally:
        view.close()
    if run.status != "completed":
        raise RunDidNotComplete(f"run {run_id} {summary(run)}")
    return run


def snapshots(client: Client, run_id: str) -> Iterator[Snapshot]:
    """Looks at a run until it has ended; every event of its life is in exactly one of them."""
    seen, is_ended = 0, False
    while not is_ended:
        run = client.run(run_id)
        facts = [fact for fact in client.facts(run_id) if fact.version > seen] if run.version > seen else []
        seen = facts[-1].version if facts else seen
        is_ended = run.is_ended and run.version <= seen
        yield Snapshot(run=run, facts=facts, metrics=client.metrics(run_id))
        if not is_ended:
            time.sleep(POLL_SECONDS)


def view_for(output: Output) -> View:
    if output.as_json:
        return JsonView(output)
    return LiveView(output) if output.is_live else LineView(output)


class JsonView:
    """One JSON object a line: the events, for machines."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def show(self, snapshot: Snapshot) -> None:
        for fact in snapshot.facts:
            self._output.result(fact, [])

    def close(self) -> None:
        """Nothing is held."""


class LineView:
    """Lines, for logs: each event, and now and then how far it is."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._phase = ""
        self._said_at = 0.0

    def show(self, snapshot: Snapshot) -> None:
        for fact in snapshot.facts:
            self._output.say(sentence(fact))
        progress = snapshot.run.progress
        if progress is not None and progress.phase is not None and self._is_due(progress.phase):
            self._output.say(f"          {how_far(snapshot.run):<20}  {latest(snapshot.metrics)}".rstrip())

    def close(self) -> None:
        """Nothing is held."""

    def _is_due(self, phase: str) -> bool:
        now = time.monotonic()
        if phase == self._phase and now - self._said_at < LINE_SECONDS:
            return False
        self._phase, self._said_at = phase, now
        return True


class LiveView:
    """A bar that moves, below the events."""

    def __init__(self, output: Output) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, TextColumn("{task.fields[latest]}"), console=output.console)
        self._task = self._bar.add_task("queued", total=None, latest="")
        self._bar.start()

    def show(self, snapshot: Snapshot) -> None:
        for fact in snapshot.facts:
            self._bar.console.print(sentence(fact), markup=False)
        self._bar.update(
            self._task,
            description=how_far(snapshot.run),
            latest=latest(snapshot.metrics),
            refresh=True,
            **_measure(snapshot.run),
        )

    def close(self) -> None:
        self._bar.stop()


def _measure(run: Run) -> dict[str, Any]:
    """How full the bar is; without a total it only shows that something moves."""
    if run.status == "completed":
        return {"completed": 1, "total": 1}
    return {
        "completed": (run.progress and run.progress.done) or 0,
        "total": run.progress and run.progress.total,
    }
