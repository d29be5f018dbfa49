"""How an attempt executed elsewhere is taken up: by whom, from where, and who does not get it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from runledger.tracker.blobs import digest_of
from runledger.tracker.ids import RunId, run_stream
from runledger.tracker.store import leases
from runledger.tracker.store.engine import write
from tests.api.conftest import Api
from tests.api.elsewhere import Executor, begun, kind_of


def test_the_same_worker_gets_its_attempt_again_with_its_lease_renewed(api_on_each: Api) -> None:
    executor = begun(api_on_each)
    head = api_on_each.backend.log.head()
    again = executor.ask(lease_seconds=120)
    assert (again.status_code, again.json()["attempt"], again.json()["epoch"]) == (200, 1, 1)
    assert again.json()["lease_seconds"] == 120
    assert api_on_each.backend.log.head() == head


def test_another_worker_does_not_get_in_while_one_executes(api_on_each: Api) -> None:
    executor = begun(api_on_each)
    other = Executor(api_on_each, executor.run_id, worker="node-2").ask()
    assert (other.status_code, kind_of(other)) == (409, "attempt-already-started")
    assert "by node-1" in other.json()["detail"]


def test_of_two_that_race_one_executes(api_on_each: Api) -> None:
    first = Executor(api_on_each)
    first.request()
    racers = [first, *(Executor(api_on_each, first.run_id, worker=f"racer-{n}") for n in range(3))]
    together = threading.Barrier(len(racers))

    def ask(racer: Executor) -> int:
        together.wait(10)
        return racer.ask().status_code

    with ThreadPoolExecutor(len(racers)) as pool:
        statuses = sorted(pool.map(ask, racers))
    assert statuses == [201, 409, 409, 409]
    assert first.tags() == ["RunRequested", "RunStarted"]


def test_the_same_worker_racing_with_itself_gets_one_attempt(api_on_each: Api) -> None:
    first = begun(api_on_each)
    first.fall_silent()
    racers = [first, *(Executor(api_on_each, first.run_id) for _ in range(3))]
    together = threading.Barrier(len(racers))

    def ask(racer: Executor) -> tuple[int, int]:
        together.wait(10)
        answer = racer.ask()
        return answer.status_code, answer.json()["epoch"]

    with ThreadPoolExecutor(len(racers)) as pool:
        answers = set(pool.map(ask, racers))
    assert answers == {(200, 3)}
    assert first.tags().count("RunAttemptReturned") == 1


def test_the_next_attempt_goes_on_from_the_last_checkpoint(api_on_each: Api) -> None:
    executor = begun(api_on_each)
    executor.checkpoint(5, b"state")
    executor.good("end", outcome="preempted", signal="SIGTERM")
    run = executor.show()
    assert (run["status"], run["failure"]["message"]) == ("failed", "ended by SIGTERM")
    following = Executor(api_on_each, executor.run_id, worker="node-2")
    answer = following.start()
    assert (answer["attempt"], answer["epoch"], answer["status"]) == (2, 2, "running")
    assert (answer["resumed_from"]["attempt"], answer["resumed_from"]["step"]) == (1, 5)
    assert following.tags()[-2:] == ["RunRetried", "RunStarted"]


def test_the_next_attempt_may_start_from_nothing(api: Api) -> None:
    executor = begun(api)
    executor.checkpoint(5, b"state")
    executor.good("end", outcome="failed")
    following = Executor(api, executor.run_id, worker="node-2")
    assert following.start(resume=False)["resumed_from"] is None


def test_an_attempt_that_has_begun_already_says_what_it_went_on_from(api: Api) -> None:
    """It was cut off. Of what came after, nothing counts; what the run did not come to is no beginning."""
    executor = begun(api)
    executor.checkpoint(5, b"state 5")
    executor.checkpoint(9, b"state 9")
    executor.good("end", outcome="failed")
    following = Executor(api, executor.run_id, worker="node-2")
    refused = following.ask(resumed_from={"step": 5, "digest": digest_of(b"another")})
    assert (refused.status_code, kind_of(refused)) == (409, "checkpoint-not-on-line")
    assert executor.show()["status"] == "failed"
    first = {"step": 5, "digest": digest_of(b"state 5")}
    assert following.start(resumed_from=first)["resumed_from"] == {"attempt": 1, **first}
    following.good("end", outcome="failed")
    assert Executor(api, executor.run_id, worker="node-3").start()["resumed_from"]["step"] == 5


@pytest.mark.parametrize(
    ("meant", "is_it"),
    [
        ({"experiment": "own"}, True),
        ({"experiment": "own", "params": {"rate": 0.1, "only": "here"}}, True),
        ({"experiment": "another"}, False),
        ({"experiment": "own", "params": {"rate": 0.2}}, False),
    ],
)
def test_an_attempt_of_another_run_than_was_meant_is_refused(
    api: Api, meant: dict[str, Any], is_it: bool
) -> None:
    executor = Executor(api)
    executor.request()
    answer = executor.ask(meant=meant)
    assert answer.status_code == (201 if is_it else 409)
    assert is_it or kind_of(answer) == "run-is-another"


def test_a_killed_attempt_whose_script_is_back_is_followed_at_once(api: Api) -> None:
    executor = begun(api)
    executor.good("end", outcome="lost", replaced=True)
    assert executor.show()["status"] == "queued"
    following = Executor(api, executor.run_id, worker="node-2")
    assert following.start()["attempt"] == 2
    assert "RunFailed" not in following.tags()


def test_an_attempt_that_is_over_answers_how_it_ended(api_on_each: Api) -> None:
    executor = begun(api_on_each)
    executor.good("end", outcome="failed", error_class="ValueError", message="no", last_lines=["a", "b"])
    answer = executor.ask()
    assert answer.status_code == 200
    assert (answer.json()["outcome"], answer.json()["epoch"]) == ("failed", 0)
    failure = executor.show()["failure"]
    assert (failure["error_class"], failure["last_lines"]) == ("ValueError", ["a", "b"])


def test_a_lost_attempt_that_was_overtaken_does_not_return(api: Api) -> None:
    executor = begun(api)
    executor.fall_silent()
    Executor(api, executor.run_id, worker="node-2").start()
    for part, body in (
        ("heartbeat", {}),
        ("params", {"params": {"a": 1}}),
        ("end", {"outcome": "completed"}),
    ):
        assert kind_of(executor.tell(part, epoch=1, **body)) == "attempt-ended"
    answer = executor.start()
    assert (answer["outcome"], answer["epoch"], answer["status"]) == ("lost", 0, "running")


@pytest.mark.parametrize("outcome", ["completed", "cancelled"])
def test_nothing_starts_after_the_end(api: Api, outcome: str) -> None:
    executor = begun(api)
    executor.good("end", outcome=outcome)
    refused = Executor(api, executor.run_id, worker="node-2").ask()
    assert (refused.status_code, kind_of(refused)) == (409, "run-already-ended")


def test_a_lease_that_is_held_is_not_taken_whatever_the_run_says(api_on_each: Api) -> None:
    executor = Executor(api_on_each)
    executor.request()
    with write(api_on_each.backend.ledger) as conn:
        assert leases.claim(conn, run_stream(RunId(executor.run_id)), 1, "somebody", 60.0) == 1
    refused = executor.ask()
    assert (refused.status_code, kind_of(refused)) == (409, "lease-held")
    assert executor.tags() == ["RunRequested"]


def test_our_own_runs_are_not_executed_elsewhere(api: Api) -> None:
    executor = Executor(api, api.launch())
    assert kind_of(executor.ask()) == "run-not-external"
    executor.attempt, executor.epoch = 1, 1
    assert kind_of(executor.tell("heartbeat")) == "run-not-external"
    assert kind_of(executor.tell("params", params={"a": 1})) == "run-not-external"
