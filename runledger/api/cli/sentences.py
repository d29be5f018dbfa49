"""Answers of the API in a few words, for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from runledger.api.answers import Fact, MetricSummary, Number, Run

TELLING = ("loss", "exact_match", "accuracy", "tokens_per_second")
"""Metrics that are shown while a run goes on: those whose last word is one of these."""


def sentence(fact: Fact) -> str:
    """`12:00:07  checkpointed  attempt 1, step 400, 1.2 MB`"""
    what = " ".join(re.findall(r"[A-Z][a-z]*", fact.type.removeprefix("Run"))).lower()
    return f"{fact.recorded_at.astimezone():%H:%M:%S}  {what:<20}  {_details(fact)}".rstrip()


def summary(run: Run) -> str:
    """How it stands with the run, and why if it failed."""
    failure = run.failure
    if run.status != "failed" or failure is None:
        return run.status
    said = ": ".join(word for word in (failure.error_class, failure.message) if word)
    lines = "".join(f"\n    {line}" for line in failure.last_lines)
    return f"failed ({failure.reason}) {said}{lines}".rstrip()


def how_far(run: Run) -> str:
    """`training 120/1000`, or the run's status where nothing is known."""
    if run.progress is None or run.progress.phase is None:
        return run.status
    done, total = run.progress.done, run.progress.total
    counted = "" if done is None else f" {done}" if total is None else f" {done}/{total}"
    return f"{run.progress.phase}{counted}"


def latest(metrics: Sequence[MetricSummary]) -> str:
    """The last values of the telling metrics."""
    told = [metric for metric in metrics if re.split(r"[/.]", metric.key)[-1] in TELLING]
    return "  ".join(f"{metric.key} {number(metric.last_value)}" for metric in told)


def number(value: Number | None) -> str:
    """Four digits that count."""
    return "–" if value is None else f"{float(value):.4g}"


def size(count: float) -> str:
    """Three digits and a unit: `1.23 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _details(fact: Fact) -> str:
    data = fact.data
    words = [f"{name} {data[name]}" for name in ("attempt", "step") if data.get(name) is not None]
    return ", ".join([*words, *_specifics(fact.type, data)])


def _specifics(kind: str, data: dict[str, Any]) -> list[str]:
    match kind:
        case "RunRequested":
            fork = data.get("forked_from")
            forked = [] if fork is None else [f"from step {fork['step']} of run {fork['run_id'][:12]}"]
            return [f"{data['spec']['recipe']} by {data['requested_by']}", *forked]
        case "RunAttemptReturned":
            return [f"on {data['worker']}"]
        case "RunStarted":
            origin = data["resumed_from"]
            resumed = [] if origin is None else [f"from step {origin['step']} of attempt {origin['attempt']}"]
            return [f"on {data['worker']}", *resumed]
        case "RunCheckpointed":
            return [size(data["size_bytes"])]
        case "RunArtifactRecorded":
            return [data["path"]]
        case "RunEvaluated":
            return [f"{score['name']} {number(score['value'])}" for score in data["scores"]]
        case "RunFailed":
            return [word for word in (data["reason"], data["error_class"], data["message"]) if word]
        case "RunAttemptLost":
            return [data["message"]] if data.get("message") else []
        case "RunCancellationRequested" | "RunRetried":
            return [word for word in (data.get("reason"), data.get("why")) if word]
        case _:
            return []
