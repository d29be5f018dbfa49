"""A tracker that is away, busy, forgetful or closed: everything arrives once, later."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from runledger.tracker.errors import GaveUp
from tests.api.courier.journals import Shipping, WrittenRun, ship
from tests.api.courier.tracker import LOSE_ANSWER, LOSE_REQUEST, Asked, Meddler, Refuse, Tracker, Verdict
from tests.system.installation import until

Meddle = Callable[[Callable[[Asked], Verdict]], Meddler]


def test_nothing_is_lost_or_doubled_where_requests_and_answers_are(
    tracker_on_each: Tracker, run: WrittenRun
) -> None:
    """Of all requests a third are lost, and of a third the answers."""
    chance = random.Random(7)
    meddler = Meddler(tracker_on_each.port, lambda asked: chance.choice((LOSE_REQUEST, LOSE_ANSWER, None)))
    attempt = run.attempt()
    for mark in range(1, 6):
        attempt.steps(3 * mark - 2, 3 * mark, mark=mark)
        attempt.checkpoint(3 * mark, mark=mark)
    attempt.print(b"a" * 300_000)
    attempt.artifact("a.txt", b"a" * 100_000)
    attempt.end()
    ship(run, meddler.url)
    meddler.close()
    world = tracker_on_each.world
    assert [step for _, step, _ in world.curve(run.run_id)] == list(range(1, 16))
    assert world.output(run.run_id) == "a" * 300_000
    assert world.tags(run.run_id) == [
        "RunRequested",
        "RunStarted",
        *["RunCheckpointed"] * 5,
        "RunArtifactRecorded",
        "RunCompleted",
    ]
    saved = world.run(run.run_id).checkpoints
    assert [len(world.points(run.run_id, 1, each.covers)) for each in saved] == [3, 6, 9, 12, 15]


def test_a_busy_tracker_is_left_alone_for_as_long_as_it_asks(
    tracker: Tracker, run: WrittenRun, meddle: Meddle
) -> None:
    busy = Refuse(429, headers=(("Retry-After", "1"),))
    meddler = meddle(lambda asked: busy if asked.path.endswith("/metrics") and asked.count == 1 else None)
    attempt = run.attempt()
    attempt.steps(1, 3, mark=1)
    attempt.end()
    ship(run, meddler.url)
    assert len(tracker.world.points(run.run_id, 1)) == 3
    assert sum(asked.path.endswith("/metrics") for asked in meddler.asked) == 2


def test_the_training_is_told_that_its_tracker_is_away_and_back(tracker: Tracker, run: WrittenRun) -> None:
    attempt = run.attempt()
    shipping = Shipping(run, tracker.url, lease_seconds=1)
    until(lambda: attempt.folder.read_control().state == "online", 20, "the tracker")
    tracker.stop()
    found = until(
        lambda: found if (found := attempt.folder.read_control()).state == "offline" else None,
        20,
        "the outage",
    )
    assert tracker.url in found.problem
    attempt.steps(1, 3, mark=1)
    tracker.start()
    until(lambda: attempt.folder.read_control().state == "online", 20, "the tracker")
    attempt.end()
    shipping.wait()
    assert len(tracker.world.points(run.run_id, 1)) == 3


def test_a_tracker_that_stays_away_is_given_up_once_the_training_is_dead(run: WrittenRun) -> None:
    run.attempt().steps(1, 3, mark=1)
    with pytest.raises(GaveUp):
        ship(run, "http://127.0.0.1:1", flush_seconds=0.2)
    assert run.folder.attempts()[0].read_control().state == "offline"


def test_a_token_that_comes_later_is_enough(tracker: Tracker, run: WrittenRun, meddle: Meddle) -> None:
    denial = Refuse(401, b'{"type": "urn:runledger:problem:unauthorized", "detail": "no token"}')
    meddler = meddle(lambda asked: denial if asked.count <= 1 and "attempts" in asked.path else None)
    attempt = run.attempt()
    attempt.end()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runledger.api.courier.delivery.DENIED_SECONDS", 0.1)
        shipping = Shipping(run, meddler.url)
        shipping.wait()
    assert shipping.problem is None
    assert tracker.world.tags(run.run_id)[-1] == "RunCompleted"


def test_a_tracker_that_has_forgotten_is_told_from_the_start(
    tracker: Tracker, run: WrittenRun, meddle: Meddle
) -> None:
    """A batch that it said to have is not there: the answer to the second says so."""
    behind = Refuse(
        409,
        b'{"type": "urn:runledger:problem:not-next", "detail": "d", "version": 0, "batches": 0,'
        b' "output_bytes": 0}',
    )
    meddler = meddle(lambda asked: behind if asked.path.endswith("/metrics") and asked.count == 3 else None)
    attempt = run.attempt()
    for mark in (1, 2, 3):
        attempt.steps(3 * mark - 2, 3 * mark, mark=mark)
    attempt.end()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runledger.api.courier.delivery.LONGEST_PAUSE_SECONDS", 0.01)
        ship(run, meddler.url)
    assert [step for _, step, _ in tracker.world.curve(run.run_id)] == list(range(1, 10))


def test_an_end_that_finds_no_attempt_is_not_taken_for_told(
    tracker: Tracker, run: WrittenRun, meddle: Meddle
) -> None:
    gone = Refuse(404, b'{"type": "urn:runledger:problem:not-found", "detail": "no run"}')
    meddler = meddle(lambda asked: gone if asked.path.endswith("/end") else None)
    attempt = run.attempt()
    attempt.end()
    with pytest.raises(GaveUp):
        ship(run, meddler.url)
    ship(run, tracker.url)
    assert tracker.world.tags(run.run_id)[-1] == "RunCompleted"
