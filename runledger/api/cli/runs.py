"""`runledger show`: one run, from the command line."""

from __future__ import annotations

import click
import msgspec

from runledger.api.answers import Artifact, Checkpoint, Evaluation, Fact, MetricSummary, Run
from runledger.api.cli.connection import connect, find_run
from runledger.api.cli.output import Output, with_output
from runledger.api.cli.sentences import how_far, number, sentence, size, summary
from runledger.api.client import Client


class WholeRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run with all that hangs on it."""

    run: Run
    events: list[Fact]
    metrics: list[MetricSummary]
    checkpoints: list[Checkpoint]
    evaluations: list[Evaluation]
    artifacts: list[Artifact]


@click.command()
@click.argument("run")
@with_output
def show(output: Output, run: str) -> None:
    """Show a run: state, events, metrics, checkpoints and evaluations.

    RUN is its id, the beginning of it, or its name.
    """
    with connect() as client:
        whole = read_whole(client, find_run(client, run))
    output.result(whole, [])
    if not output.as_json:
        draw(output, whole)


def read_whole(client: Client, run_id: str) -> WholeRun:
    return WholeRun(
        run=client.run(run_id),
        events=client.facts(run_id),
        metrics=client.metrics(run_id),
        checkpoints=client.checkpoints(run_id),
        evaluations=client.evaluations(run_id),
        artifacts=client.artifacts(run_id),
    )


def draw(output: Output, whole: WholeRun) -> None:
    run = whole.run
    output.fields(f"run {run.run_id}", _headline(run))
    output.say("")
    for fact in whole.events:
        output.say(sentence(fact))
    if whole.metrics:
        output.table(("metric", "points", "last", "min", "max"), [_metric(row) for row in whole.metrics])
    if whole.checkpoints:
        output.table(("checkpoint", "attempt", "size", "digest"), [_saved(row) for row in whole.checkpoints])
    if whole.evaluations:
        output.table(("evaluation", "step", "status", "scores"), [_scored(row) for row in whole.evaluations])
    if whole.artifacts:
        output.table(("artifact", "size", "digest"), [_kept(row) for row in whole.artifacts])


def _headline(run: Run) -> dict[str, object]:
    return {
        "name": run.name,
        "status": summary(run),
        "progress": "–" if run.is_ended else how_far(run),
        "recipe": f"{run.spec.recipe} {run.spec.version}",
        "attempts": len(run.attempts),
        "requested": f"{run.requested_at.astimezone():%Y-%m-%d %H:%M:%S} by {run.requested_by}",
        "note": run.note or "–",
        "tags": ", ".join(f"{key}={value}" for key, value in run.tags.items()) or "–",
    }


def _metric(row: MetricSummary) -> tuple[object, ...]:
    return (row.key, row.points, number(row.last_value), number(row.min_value), number(row.max_value))


def _saved(row: Checkpoint) -> tuple[object, ...]:
    kept = size(row.size_bytes) if row.deleted_at is None else f"deleted ({row.deleted_by})"
    return (f"step {row.step}", row.attempt, kept, row.digest[:12])


def _scored(row: Evaluation) -> tuple[object, ...]:
    scores = ", ".join(f"{score.name} {number(score.value)}" for score in row.scores)
    return (row.evaluation_id[:12], row.step, row.status, scores)


def _kept(row: Artifact) -> tuple[object, ...]:
    return (row.path, size(row.size_bytes), row.digest[:12])
