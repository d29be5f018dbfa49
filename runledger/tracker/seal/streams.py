"""The streams of one run: its own, its telemetry, its evaluations."""

from __future__ import annotations

from collections.abc import Iterable

from runledger.tracker.errors import NotFound
from runledger.tracker.events.run import RunEvaluated
from runledger.tracker.ids import EvaluationId, RunId, evaluation_stream, run_stream
from runledger.tracker.seal.rawlog import RawLog
from runledger.tracker.seal.restores import read_event
from runledger.tracker.seal.rowcheck import Chains, LogRow

LAST = 2**63 - 1
"""Behind every position."""


def streams_of_run(raw: RawLog, run_id: str) -> list[str]:
    """Raises `NotFound` for a run without any event."""
    telemetry = raw.streams_between(f"telemetry-{run_id}-", f"telemetry-{run_id}.")
    own = run_stream(RunId(run_id))
    evaluations = dict.fromkeys(filter(None, map(_evaluation, raw.stream(own))))
    found = [own] if raw.tip(own, LAST) else []
    if not found and not telemetry:
        raise NotFound("run", run_id)
    return [*found, *telemetry, *(evaluation_stream(EvaluationId(each)) for each in evaluations)]


def check_streams(raw: RawLog, log_id: str, streams: Iterable[str]) -> tuple[int, str] | None:
    """The first position of these streams where something is wrong, and what; None where all is well."""
    faults = (_check_stream(raw, log_id, stream) for stream in streams)
    return min(filter(None, faults), default=None)


def _check_stream(raw: RawLog, log_id: str, stream: str) -> tuple[int, str] | None:
    chains = Chains(log_id, raw.tip)
    position = 0
    for row in raw.stream(stream):
        problem = chains.check(row)
        if problem is None and row.position <= position:
            problem = "it stands before the event that it follows on"
        if problem is not None:
            return row.position, problem
        position = row.position
    return None


def _evaluation(row: LogRow) -> str | None:
    """The evaluation that an event of a run tells of; None also for what cannot be read."""
    event = read_event(row)
    if isinstance(event, RunEvaluated) and event.evaluation_id.isprintable():
        return event.evaluation_id
    return None
