"""Every state that a run can come to, and every route that can be asked for it: they tell one and the same.

The states are found by the domain itself: from each, every command is tried, and what is new is gone on
from. Then each is made in a database, and all GET routes of the description are asked.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import pytest

from runledger.api.answers import ENDED
from runledger.tracker.aggregates import registry
from runledger.tracker.aggregates import run as commands
from runledger.tracker.aggregates.run import ACTIVE, Command, Run, decide, evolve
from runledger.tracker.envelope import Metadata, NewEvent
from runledger.tracker.errors import NotFound, Refused
from runledger.tracker.events.base import Covers
from runledger.tracker.events.telemetry import MetricsRecorded
from runledger.tracker.ids import Digest, RunId, new_event_id, telemetry_stream
from runledger.tracker.journal import Points, metrics_recorded
from runledger.tracker.spec import Limits, RunSpec
from tests.api.conftest import Api

ATTEMPTS = 2
"""A third one meets no state that the first two have not met."""
RUN = RunId("5f" * 16)
STATE = b"state"
ENDLESS = "/api/v1/events/stream"
Life = tuple[Command, ...]


class Found(NamedTuple):
    life: Life
    run: Run


def request(run_id: RunId, external: bool) -> commands.RequestRun:
    return commands.RequestRun(
        run_id=run_id,
        experiment_id="e",
        name="any",
        spec=RunSpec(recipe="toy", version=1, digest="d", values={"seed": 1}),
        limits=Limits(attempts=ATTEMPTS),
        external=external,
        requested_by="api:local",
    )


def possible(run: Run, digest: Digest) -> Iterator[Command]:
    """Every kind of command that moves a run, from whoever may give it."""
    mine = {"run_id": RUN, "attempt": run.attempt}
    step = 10 * run.attempt
    yield commands.StartAttempt(**mine, worker="w", epoch=run.attempt)
    if run.is_external:
        yield commands.StartAttempt(run_id=RUN, attempt=run.attempt + 1, worker="w", epoch=run.attempt + 1)
        yield commands.ReturnAttempt(**mine, worker="w", epoch=100 + run.version)
    yield commands.RecordCheckpoint(
        **mine, step=step, digest=digest, size_bytes=len(STATE), covers=Covers(version=0, offset=0)
    )
    yield commands.RequestCancellation(run_id=RUN)
    yield commands.RequestPause(run_id=RUN)
    yield commands.ConfirmStop(**mine, step=step)
    yield commands.ResumeRun(run_id=RUN)
    yield commands.RetryRun(run_id=RUN)
    yield commands.LoseAttempt(**mine)
    yield commands.PreemptAttempt(**mine, signal="SIGTERM")
    yield commands.CompleteRun(**mine, step=step, metrics={"loss": 0.5})
    yield commands.FailRun(**mine, reason="diverged", error_class="Diverged", message="no")
    yield commands.FailRun(run_id=RUN, reason="error")


def abstract(run: Run) -> tuple[Any, ...]:
    """What tells one state from another, but for numbers and names."""
    return (
        run.status,
        run.is_external,
        tuple(each.outcome for each in run.attempts),
        bool(run.checkpoints),
    )


def lives(digest: Digest) -> list[Found]:
    """The shortest life to each state."""
    found: dict[tuple[Any, ...], Found] = {}
    for external in (False, True):
        command = request(RUN, external)
        run = _after(None, command)
        assert run is not None
        waiting = deque([Found((command,), run)])
        while waiting:
            each = waiting.popleft()
            if abstract(each.run) in found or each.run.attempt > ATTEMPTS:
                continue
            found[abstract(each.run)] = each
            for command in possible(each.run, digest):
                after = _after(each.run, command)
                if after is not None and after is not each.run:
                    waiting.append(Found((*each.life, command), after))
    return list(found.values())


def _after(run: Run | None, command: Command) -> Run | None:
    """None where it is refused."""
    try:
        events = decide(run, command)
    except (Refused, NotFound):
        return None
    for event in events:
        run = evolve(run, event)
    return run


def test_every_route_tells_the_same_of_every_state(api: Api) -> None:
    digest = Digest(api.backend.blobs.put_bytes(STATE))
    found = lives(digest)
    assert {each.run.status for each in found} >= {*ACTIVE, *ENDED, "queued", "paused"}
    assert len(found) > 100
    paths = [path for path in get_routes(api) if "{run_id" in path]
    problems = [
        f"{each.run.status} after {[type(command).__name__ for command in each.life]}: {problem}"
        for number, each in enumerate(found)
        for problem in Asked(api, RunId(f"{number:032x}"), each).problems(paths, digest)
    ]
    assert not problems, "\n".join(problems[:20])
    check_other_routes(api, digest)


def check_other_routes(api: Api, digest: Digest) -> None:
    """Those that are not about one run, beside all these runs."""
    for path in get_routes(api):
        if "{run_id" not in path:
            answer = api.client.get(at(path, RunId("none"), digest))
            assert answer.status_code in (200, 404), f"{path}: {answer.status_code} {answer.text}"


def get_routes(api: Api) -> list[str]:
    document = api.client.get("/schema/openapi.json").json()
    return [path for path, item in document["paths"].items() if "get" in item and path != ENDLESS]


class Asked:
    """One state in the database, and what the API says of it."""

    def __init__(self, api: Api, run_id: RunId, found: Found) -> None:
        self.api = api
        self.run_id = run_id
        together = [msgspec.structs.replace(command, run_id=run_id) for command in found.life]
        api.backend.dispatcher.dispatch_all(*together, metadata=Metadata(actor="worker:w"))
        self.run = api.backend.dispatcher.load(registry.RUN, run_id)
        if self.run.attempts:
            self._log_points()

    def _log_points(self) -> None:
        """What the attempt has measured."""
        event: MetricsRecorded = metrics_recorded([Points(step=1, time=1, values={"train/loss": 0.5})])
        new = NewEvent(
            event_id=new_event_id(),
            event=event,
            occurred_at=datetime.now(UTC),
            metadata=Metadata(actor="worker:w"),
        )
        self.api.backend.dispatcher.record(telemetry_stream(self.run_id, 1), 0, [new])

    def problems(self, paths: list[str], digest: Digest) -> list[str]:
        try:
            unseen = self.get("")
            self.api.catch_up()
            seen = self.get("")
            assert unseen == seen, "the log and the read model differ"
            self.check_run(seen)
            self.check_row(seen)
            self.check_events()
            self.check_attempts()
            self.check_checkpoints(digest)
            self.check_all(paths, digest)
        except AssertionError as problem:
            return [str(problem)]
        return []

    def get(self, part: str, **query: Any) -> Any:
        answer = self.api.client.get(f"/api/v1/runs/{self.run_id}{part}", params=query)
        assert answer.status_code == 200, f"{part}: {answer.text}"
        return answer.json()

    def check_run(self, told: Any) -> None:
        run = self.run
        same = {"status": run.status, "version": run.version, "attempt": run.attempt}
        assert {key: told[key] for key in same} == same
        assert (told["ended_at"] is not None) == (run.status in ENDED), "ended_at"
        assert (told["started_at"] is not None) == bool(run.attempts), "started_at"
        assert (told["failure"] is not None) == (run.status == "failed"), "failure"
        assert bool(told["final_metrics"]) == (run.status == "completed"), "final_metrics"
        assert [(each["attempt"], each["ending"]) for each in told["attempts"]] == [
            (each.number, each.outcome) for each in run.attempts
        ], "endings"
        for each in told["attempts"]:
            assert (each["ended_at"] is None) == (each["ending"] is None), "an attempt's ended_at"
        executing = [each["attempt"] for each in told["attempts"] if each["ending"] is None]
        assert executing == ([run.attempt] if run.is_active else []), "who executes"

    def check_row(self, told: Any) -> None:
        for query in ({}, {"status": self.run.status}, {"experiment": "e"}):
            page = self.api.client.get("/api/v1/runs", params={"limit": 5, **query}).json()
            row = next((each for each in page["items"] if each["run_id"] == self.run_id), None)
            assert row is not None, f"not listed by {query}"
            assert row == {key: told[key] for key in row}, "the list differs"
        others = self.api.client.get("/api/v1/runs", params={"status": other_than(self.run.status)}).json()
        assert self.run_id not in [each["run_id"] for each in others["items"]]

    def check_events(self) -> None:
        facts = self.get("/events", limit=200)["items"]
        assert [each["version"] for each in facts] == list(range(1, self.run.version + 1)), "versions"
        assert facts[-1]["position"] <= self.api.backend.log.head()

    def check_attempts(self) -> None:
        for each in self.run.attempts:
            told = self.get(f"/attempts/{each.number}")
            assert (told["status"], told["outcome"]) == (self.run.status, each.outcome), "attempt"
        beyond = self.api.client.get(f"/api/v1/runs/{self.run_id}/attempts/{ATTEMPTS + 5}")
        assert beyond.status_code == 404

    def check_checkpoints(self, digest: Digest) -> None:
        told = self.get("/checkpoints")["items"]
        assert [(each["attempt"], each["step"], each["digest"]) for each in told] == [
            (each.attempt, each.step, digest) for each in self.run.checkpoints
        ], "checkpoints"

    def check_all(self, paths: list[str], digest: Digest) -> None:
        """No route breaks, whatever is asked for; those of the run know it."""
        for path in paths:
            answer = self.api.client.get(at(path, self.run_id, digest))
            assert answer.status_code in (200, 404), f"{path}: {answer.status_code} {answer.text}"
            is_of_run = "{run_id}" in path and "{key" not in path and "{attempt" not in path
            assert answer.status_code == 200 or not is_of_run or self._may_lack(path), (
                f"{path}: {answer.text}"
            )

    def _may_lack(self, path: str) -> bool:
        """There is no output of a run that never began."""
        return path.endswith("/logs") and not self.run.attempts


def at(path: str, run_id: RunId, digest: Digest) -> str:
    named = {
        "run_id": run_id,
        "attempt": "1",
        "key": "train/loss",
        "digest": digest,
        "experiment_id": "e",
        "benchmark_id": "none",
        "evaluation_id": "none",
    }
    return re.sub(r"{(\w+)[^}]*}", lambda found: named[found[1]], path)


def other_than(status: str) -> str:
    return "queued" if status != "queued" else "running"


DONE: dict[str, dict[str, str]] = {
    "queued": {"cancel": "cancelled", "pause": "paused"},
    "running": {"cancel": "cancelling", "pause": "pausing"},
    "pausing": {"cancel": "cancelling", "pause": "pausing"},
    "cancelling": {"cancel": "cancelling"},
    "paused": {"cancel": "cancelled", "pause": "paused", "resume": "queued"},
    "failed": {"retry": "queued"},
    "completed": {},
    "cancelled": {"cancel": "cancelled"},
}
"""What may be asked of a run in each status, and what it leads to; anything else is refused."""


@pytest.mark.parametrize("status", DONE)
def test_what_may_be_asked_of_a_run_is_done_and_all_else_is_refused(api: Api, status: str) -> None:
    found = next(each for each in lives(Digest("0" * 64)) if each.run.status == status)
    for number, verb in enumerate(("cancel", "pause", "resume", "retry")):
        asked = Asked(api, RunId(f"{number:032x}"), found)
        answer = api.client.post(f"/api/v1/runs/{asked.run_id}/{verb}")
        after = api.backend.dispatcher.load(registry.RUN, asked.run_id)
        if verb in DONE[status]:
            assert (answer.status_code, after.status) == (200, DONE[status][verb]), verb
            assert answer.json()["version"] == after.version
        else:
            assert (answer.status_code, after) == (409, asked.run), verb
