"""`runledger watch`: a run's life as it happens: a moving bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import click
import msgspec
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from runledger.api.answers import Fact, MetricSummary, Run
from runledger.api.cli.connection import connect, find_run
from runledger.api.cli.exits import RunDidNotComplete
from runledger.api.cli.output import Output, with_output
from runledger.api.cli.sentences import how_far, latest, sentence, summary
from runledger.api.client import Client

POLL_SECONDS = 1.0
METRICS_SECONDS = 2.0
"""Between two looks at the metrics, which cost more: the training may have only these cores, too."""
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
@click.argument("run")
@with_output
def watch(output: Output, run: str) -> None:
    """Show the progress of a run until it ends. Exit status 0 only if it completed.

    RUN is its id, the beginning of it, or its name.

    With --json, one line of JSON for each event of its life.
    """
    with connect(retry_seconds=30) as client:
        follow_to_the_end(client, find_run(client, run), output)


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
    seen, is_ended, metrics = 0, False, Fresh(lambda: client.metrics(run_id), METRICS_SECONDS)
    while not is_ended:
        run = client.run(run_id)
        facts = [fact for fact in client.facts(run_id) if fact.version > seen] if run.version > seen else []
        seen = facts[-1].version if facts else seen
        is_ended = run.is_ended and run.version <= seen
        yield Snapshot(run=run, facts=facts, metrics=metrics.get())
        if not is_ended:
            time.sleep(POLL_SECONDS)


class Fresh:
    """An answer that is asked for again only when it is older than so many seconds."""

    def __init__(self, ask: Callable[[], list[MetricSummary]], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._asked_at = -math.inf
        self._answer: list[MetricSummary] = []

    def get(self) -> list[MetricSummary]:
        if time.monotonic() - self._asked_at >= self._seconds:
            self._answer, self._asked_at = self._ask(), time.monotonic()
        return self._answer


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
        self._phase = self._line = ""
        self._said_at = 0.0

    def show(self, snapshot: Snapshot) -> None:
        for fact in snapshot.facts:
            self._output.say(sentence(fact))
        progress = snapshot.run.progress
        if progress is not None and progress.phase is not None:
            line = f"          {how_far(snapshot.run):<20}  {latest(snapshot.metrics)}".rstrip()
            self._say(progress.phase, line)

    def close(self) -> None:
        """Nothing is held."""

    def _say(self, phase: str, line: str) -> None:
        """A new phase at once, more of the same after a while, and nothing twice."""
        now = time.monotonic()
        if line != self._line and (phase != self._phase or now - self._said_at >= LINE_SECONDS):
            self._output.say(line)
            self._phase, self._line, self._said_at = phase, line, now


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
