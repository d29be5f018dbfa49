"""Progress of a run as the watching commands show it, over answers made here."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from rich.console import Console

from runledger.api.answers import Fact, Failure, MetricSummary, Page, Progress, Run
from runledger.api.cli import watch
from runledger.api.cli.exits import RunDidNotComplete
from runledger.api.cli.output import Output
from runledger.api.cli.sentences import size, summary
from runledger.api.client import Client
from runledger.tracker.spec import DeviceRequest, Limits, RunSpec

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(status: str = "running", version: int = 1, **changes: Any) -> Run:
    values: dict[str, Any] = {
        "run_id": "r1", "experiment_id": "e1", "name": "n", "status": status, "version": version,
        "position": 1, "recipe": "lm", "priority": 0, "external": False, "hidden": False, "attempt": 1,
        "step": None, "tags": {}, "requested_at": NOW, "requested_by": "me", "started_at": NOW,
        "updated_at": NOW, "ended_at": None, "params": {}, "note": "", "limits": Limits(),
        "spec": RunSpec(recipe="lm", version=1, digest="d", values={}), "device": DeviceRequest(),
        "worker_labels": {}, "forked_from": None, "attempts": [], "failure": None, "final_metrics": {},
    }  # fmt: skip
    return Run(**{**values, **changes})


def fact(version: int, kind: str, **data: Any) -> Fact:
    return Fact(
        position=version, stream="run-r1", version=version, event_id=UUID(int=version), type=kind, schema=1,
        recorded_at=NOW, occurred_at=NOW, actor="a", correlation_id=None, causation_id=None, data=data,
    )  # fmt: skip


LIFE = [
    fact(1, "RunRequested", spec={"recipe": "lm"}, requested_by="me"),
    fact(2, "RunStarted", attempt=1, worker="w1", resumed_from=None),
    fact(3, "RunCheckpointed", attempt=1, step=0, size_bytes=1_234_567),
    fact(4, "RunEvaluated", attempt=1, step=0, scores=[{"name": "exact_match", "value": 0.25}]),
    fact(5, "RunCompleted", attempt=1, step=10),
]
LOSS = MetricSummary(
    key="train/loss", points=3, non_finite=0, last_value=0.51234, last_step=3, last_time=0, min_value=0.5,
    min_step=3, max_value=2.0, max_step=1,
)  # fmt: skip


def ledger(*runs: Run) -> Client:
    """Answers with these runs, one after the other, and with as much of the life as each has."""
    waiting, present = list(runs), [runs[0]]

    def handler(request: httpx.Request) -> httpx.Response:
        answer: object
        match request.url.path.rpartition("/")[2]:
            case "r1":
                present[0] = waiting.pop(0)
                answer = present[0]
            case "events":
                answer = Page(items=LIFE[: present[0].version])
            case _:
                answer = Page(items=[LOSS])
        return httpx.Response(200, content=msgspec.json.encode(answer))

    return Client("http://ledger", transport=httpx.MockTransport(handler))


@pytest.fixture
def output() -> Output:
    made = Output()
    made.console = Console(file=io.StringIO(), width=200)
    return made


def text_of(output: Output) -> str:
    file = output.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0)


def progress(done: int) -> Progress:
    return Progress(phase="training", done=done, total=10, progressed_at=NOW, heartbeat_at=NOW)


def test_every_event_is_said_once_and_progress_in_between(output: Output) -> None:
    client = ledger(run(version=2, progress=progress(3)), run(version=4), run("completed", version=5))

    watch.follow_to_the_end(client, "r1", output)

    said = [" ".join(line.split()[1:]) for line in text_of(output).splitlines()]
    assert said == [
        "requested lm by me",
        "started attempt 1, on w1",
        "3/10 train/loss 0.5123",
        "checkpointed attempt 1, step 0, 1.23 MB",
        "evaluated attempt 1, step 0, exact_match 0.25",
        "completed attempt 1, step 10",
    ]


def test_a_run_that_failed_ends_the_watch_with_its_last_words(output: Output) -> None:
    failure = Failure(reason="error", error_class="ValueError", message="no", last_lines=["Traceback"])
    client = ledger(run("failed", version=2, failure=failure))

    with pytest.raises(RunDidNotComplete, match=r"run r1 failed \(error\) ValueError: no\n    Traceback"):
        watch.follow_to_the_end(client, "r1", output)


def test_on_a_terminal_a_bar_moves_below_the_events(output: Output) -> None:
    output.console = Console(file=io.StringIO(), width=120, force_terminal=True)
    client = ledger(run(version=2, progress=progress(5)), run("completed", version=5))

    watch.follow_to_the_end(client, "r1", output)

    said = text_of(output)
    assert "training 5/10" in said
    assert "completed" in said


def test_machines_get_one_event_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    watch.follow_to_the_end(ledger(run("completed", version=5)), "r1", Output(as_json=True))

    lines = capsys.readouterr().out.splitlines()
    assert [msgspec.json.decode(line, type=Fact) for line in lines] == LIFE


@pytest.mark.parametrize("status", ["queued", "running", "cancelled", "completed"])
def test_a_run_that_did_not_fail_is_summed_up_by_its_status(status: str) -> None:
    assert summary(run(status)) == status


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_600, "1 MB"), (1.5e13, "15 TB")],
)
def test_sizes_have_three_digits_and_a_unit(count: float, words: str) -> None:
    assert size(count) == words
