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
    """A run with all that hangs on it; `as_of` is the position of the log that it is told as of."""

    run: Run
    events: list[Fact]
    metrics: list[MetricSummary]
    checkpoints: list[Checkpoint]
    evaluations: list[Evaluation]
    artifacts: list[Artifact]
    as_of: int | None = None


@click.command()
@click.argument("run")
@click.option("--as-of", metavar="POSITION|TIME", help="As it stood then: 4711, or 2026-11-21T12:00:00Z.")
@with_output
def show(output: Output, run: str, as_of: str | None) -> None:
    """Show a run: state, events, metrics, checkpoints and evaluations.

    RUN is its id, the beginning of it, or its name.
    """
    with connect() as client:
        position = None if as_of is None else client.position_of(as_of)
        whole = read_whole(client, find_run(client, run), position)
    output.result(whole, [])
    if not output.as_json:
        draw(output, whole)


def read_whole(client: Client, run_id: str, as_of: int | None = None) -> WholeRun:
    return WholeRun(
        run=client.run(run_id, as_of=as_of),
        events=client.facts(run_id, as_of=as_of),
        metrics=client.metrics(run_id, as_of=as_of),
        checkpoints=client.checkpoints(run_id, as_of=as_of),
        evaluations=client.evaluations(run_id, as_of=as_of),
        artifacts=client.artifacts(run_id, as_of=as_of),
        as_of=as_of,
    )


def draw(output: Output, whole: WholeRun) -> None:
    run = whole.run
    then = "" if whole.as_of is None else f" as of position {whole.as_of}"
    output.fields(f"run {run.run_id}{then}", _headline(run))
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
