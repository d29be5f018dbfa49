"""Shipping a journal: in order, once, through outages; nothing is lost and nothing refused stops the rest."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from runledger.tracker.envelope import Fence, Recorded
from runledger.tracker.errors import StoreUnavailable, UnknownEvent
from runledger.tracker.events.base import Score
from runledger.tracker.events.evaluation import EvaluationCompleted
from runledger.tracker.ids import evaluation_stream
from runledger.tracker.journal import (
    Artifact,
    Checkpoint,
    Ended,
    Evaluated,
    Mark,
    Points,
    Record,
    encode_frame,
)
from runledger.tracker.shipping import Shipper
from runledger.tracker.staging import Staging
from runledger.tracker.store import leases
from runledger.tracker.store.engine import write
from runledger.trainer import leftovers
from runledger.trainer.attempt.job import Folder
from runledger.trainer.claims import Claim, claim_best
from runledger.trainer.facts import Facts
from runledger.trainer.folders import hold
from runledger.trainer.relay import Relay
from runledger.trainer.services import Services
from runledger.trainer.shipper import shipper
from tests.trainer.world import World


def point(step: int) -> Points:
    return Points(step=step, time=step, values={"loss": float(step)})


class Scene:
    """A claimed run and an attempt's folder, with a journal written by hand."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.services: Services = world.services()
        self.run_id = world.request()
        relay = Relay(world.log, lambda row: None)
        while relay.step():
            pass
        claim = claim_best(self.services)
        assert claim is not None
        self.claim: Claim = claim
        self.folder = Folder(self.services.attempts / f"{self.run_id}-1")
        self.staging = Staging(self.folder.staged)

    def write(self, *records: Record) -> None:
        with self.folder.journal.open("ab") as file:
            file.write(b"".join(map(encode_frame, records)))

    def stage(self, content: bytes) -> str:
        return self.staging.put_bytes(content)[0]

    def checkpoint(self, step: int, mark: int) -> Checkpoint:
        return Checkpoint(step=step, digest=self.stage(b"%d" % step), size_bytes=1, loss=None, mark=mark)

    def shipper(self, services: Services | None = None, *, facts: bool = True) -> Shipper:
        services = services or self.services
        told = Facts(services, self.claim, self.folder) if facts else None
        return shipper(services, self.folder, self.run_id, 1, facts=told, give_up=threading.Event())

    def ship(self, shipper: Shipper | None = None) -> Shipper:
        """All of it, as after the end of the child."""
        over = threading.Event()
        over.set()
        shipper = shipper or self.shipper()
        shipper.ship_until(over)
        return shipper

    def steps(self) -> list[int]:
        return [step for _, step, _ in self.world.points(self.run_id, 1)]


@pytest.fixture
def scene(sqlite_world: World) -> Scene:
    return Scene(sqlite_world)


def test_batches_lie_between_marks(scene: Scene) -> None:
    scene.write(point(1), point(2), Mark(number=1), point(3), Mark(number=2))
    assert scene.ship().is_complete
    batches = scene.world.telemetry(scene.run_id, 1)
    assert [len(batch.event.value) // 8 for batch in batches] == [2, 1]


def test_points_that_no_mark_closed_are_shipped_at_the_end(scene: Scene) -> None:
    scene.write(point(1), Mark(number=1), point(2))
    scene.ship()
    assert scene.steps() == [1, 2]


def test_shipping_the_same_journal_again_changes_nothing(scene: Scene) -> None:
    scene.write(point(1), Mark(number=1), scene.checkpoint(1, 1), point(2), Mark(number=2), point(3))
    scene.folder.output.write_text("hello\n")
    scene.ship()
    head = scene.world.log.head()
    scene.ship()
    assert scene.world.log.head() == head
    assert scene.world.output(scene.run_id) == "hello\n"


def test_whoever_goes_on_ships_only_what_is_missing(scene: Scene) -> None:
    scene.write(point(1), Mark(number=1), point(2), Mark(number=2))
    first = scene.shipper()
    first.ship_some()
    scene.write(point(3), Mark(number=3))
    scene.ship()
    assert scene.steps() == [1, 2, 3]


def test_whoever_goes_on_after_a_long_attempt_reads_it_a_portion_at_a_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runledger.trainer.telemetry.PORTION_EVENTS", 3)
    for step in range(1, 9):
        scene.write(point(step), Mark(number=step))
    scene.ship()
    scene.write(point(9), Mark(number=9))
    read, sizes = scene.world.log.read, []

    def counted(*stream: Any, **options: Any) -> Any:
        found = read(*stream, **options)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(scene.world.log, "read", counted)
    assert scene.ship().is_complete
    assert max(sizes) == 3
    monkeypatch.undo()
    assert scene.steps() == list(range(1, 10))


def test_a_checkpoint_follows_all_telemetry_it_covers(scene: Scene) -> None:
    scene.write(point(1), point(2), Mark(number=1), scene.checkpoint(2, 1), point(3), Mark(number=2))
    scene.ship()
    saved = scene.world.run(scene.run_id).checkpoints[0]
    covered = scene.world.points(scene.run_id, 1, saved.covers)
    assert [step for _, step, _ in covered] == [1, 2]
    assert scene.world.blobs.read(saved.digest) == b"2"
    assert list(scene.folder.staged.iterdir()) == []


def test_a_checkpoint_and_its_evaluations_are_one_append(scene: Scene) -> None:
    benchmark_id = scene.world.benchmark()
    evaluated = Evaluated(
        step=2,
        benchmark_id=benchmark_id,
        scores=(Score(name="exact_match", value=0.5, count=2),),
        predictions=scene.stage(b"{}\n{}\n"),
        items=2,
    )
    scene.write(evaluated, scene.checkpoint(2, 0))
    scene.ship()
    page = scene.world.log.tail(0)
    tags = [each.type for each in page.events][-5:]
    assert tags == [
        "RunCheckpointed",
        "RunEvaluated",
        "EvaluationRequested",
        "EvaluationStarted",
        "EvaluationCompleted",
    ]
    assert len({each.recorded_at for each in page.events[-5:]}) == 1
    evaluation_id = next(iter(scene.world.run(scene.run_id).evaluations))
    completed = scene.world.log.last(evaluation_stream(evaluation_id))
    assert completed is not None
    assert isinstance(completed.event, EvaluationCompleted)
    assert scene.world.blobs.read(completed.event.predictions) == b"{}\n{}\n"


def test_what_the_run_refuses_is_set_aside_and_the_rest_goes_on(scene: Scene) -> None:
    digest = scene.stage(b"file")
    refused = Artifact(path="../escape", digest=digest, size_bytes=4, media_type="text/plain")
    missing = Artifact(path="lost", digest="0" * 64, size_bytes=4, media_type="text/plain")
    scene.write(refused, missing, scene.checkpoint(1, 0))
    assert scene.ship().is_complete
    assert len(scene.world.run(scene.run_id).checkpoints) == 1
    set_aside = (scene.services.quarantine / f"{scene.run_id}-1.jsonl").read_text().splitlines()
    assert len(set_aside) == 2
    assert "../escape" in set_aside[0]


def test_a_checkpoint_whose_bytes_are_not_those_that_were_saved_is_set_aside(scene: Scene) -> None:
    spoilt, good = scene.checkpoint(1, 0), scene.checkpoint(2, 0)
    (scene.folder.staged / spoilt.digest).write_bytes(b"other bytes")
    scene.write(spoilt, good)
    scene.ship()
    assert [saved.step for saved in scene.world.run(scene.run_id).checkpoints] == [2]
    assert spoilt.digest in (scene.services.quarantine / f"{scene.run_id}-1.jsonl").read_text()


def test_a_damaged_record_is_set_aside_and_the_rest_goes_on(scene: Scene) -> None:
    scene.write(point(1))
    with scene.folder.journal.open("ab") as file:
        file.write(encode_frame(point(2))[:-1] + b"\xff")
    scene.write(point(3), Mark(number=1))
    scene.ship()
    assert scene.steps() == [1, 3]
    assert (scene.services.quarantine / f"{scene.run_id}-1.jsonl").exists()


def test_once_another_has_taken_over_only_telemetry_is_told(scene: Scene) -> None:
    with write(scene.world.engine) as conn:
        leases.revoke(conn, scene.claim.stream, scene.claim.epoch)
    scene.write(point(1), Mark(number=1), scene.checkpoint(1, 1), point(2), Mark(number=2))
    shipper = scene.ship()
    assert shipper.is_fenced.is_set()
    assert shipper.is_complete
    assert scene.steps() == [1, 2]
    assert scene.world.run(scene.run_id).checkpoints == ()


def test_an_outage_delays_and_loses_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second append fails, half of these after it was committed."""
    append = scene.world.log.append
    calls: list[int] = []

    def unreliable(*writes: Any, fence: Fence | None = None, within: Any = None) -> int:
        calls.append(1)
        if len(calls) % 4 == 1:
            raise StoreUnavailable("ledger", "away")
        position = append(*writes, fence=fence, within=within)
        if len(calls) % 4 == 3:
            raise StoreUnavailable("ledger", "the answer was lost")
        return position

    monkeypatch.setattr(scene.world.log, "append", unreliable)
    monkeypatch.setattr("runledger.tracker.retrying.FIRST_SECONDS", 0.001)
    for number in range(1, 11):
        scene.write(point(number), Mark(number=number), scene.checkpoint(number, number))
    scene.ship()
    assert scene.steps() == list(range(1, 11))
    run = scene.world.run(scene.run_id)
    assert [saved.step for saved in run.checkpoints] == list(range(1, 11))
    assert [len(scene.world.points(scene.run_id, 1, each.covers)) for each in run.checkpoints] == list(
        range(1, 11)
    )


def test_what_a_killed_worker_left_is_shipped_as_telemetry_and_removed(scene: Scene) -> None:
    scene.write(point(1), Mark(number=1), scene.checkpoint(1, 1), point(2))
    with scene.folder.journal.open("ab") as file:
        file.write(b"\x07torn")
    scene.folder.output.write_text("last words\n")
    assert leftovers.sweep(scene.services, threading.Event()) == 1
    assert scene.steps() == [1, 2]
    assert scene.world.output(scene.run_id) == "last words\n"
    assert scene.world.run(scene.run_id).checkpoints == ()
    assert not scene.folder.path.exists()


def test_a_folder_that_somebody_works_in_is_left_alone(scene: Scene) -> None:
    scene.write(point(1))
    with hold(scene.folder):
        assert leftovers.sweep(scene.services, threading.Event()) == 0
    assert scene.folder.path.exists()


def test_what_cannot_be_shipped_now_stays(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*arguments: Any, **options: Any) -> Any:
        raise StoreUnavailable("ledger", "away")

    give_up = threading.Event()
    give_up.set()
    scene.write(point(1))
    monkeypatch.setattr(scene.world.log, "read", away)
    assert leftovers.sweep(scene.services, give_up) == 0
    assert scene.folder.path.exists()


def test_other_files_beside_the_attempts_are_none_of_our_business(scene: Scene) -> None:
    stray: Path = scene.services.attempts / "notes.txt"
    stray.write_text("mine")
    leftovers.sweep(scene.services, threading.Event())
    assert stray.exists()


def test_a_checkpoint_far_behind_finds_what_it_covers(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long an attempt is, only the last batches are remembered."""
    monkeypatch.setattr("runledger.trainer.telemetry.REMEMBERED_COVERS", 3)
    monkeypatch.setattr("runledger.trainer.telemetry.PORTION_EVENTS", 2)
    scene.folder.output.write_text("hello\n")
    for number in range(1, 11):
        scene.write(point(2 * number - 1), point(2 * number), Mark(number=number))
    scene.write(scene.checkpoint(4, 2), scene.checkpoint(20, 10))
    shipped = scene.ship()
    assert len(shipped._telemetry._covers) <= 3  # type: ignore[attr-defined]
    saved = scene.world.run(scene.run_id).checkpoints
    covered = [scene.world.points(scene.run_id, 1, each.covers) for each in saved]
    assert [[step for _, step, _ in points] for points in covered] == [
        list(range(1, 5)),
        list(range(1, 21)),
    ]


def test_what_a_newer_release_has_put_into_the_telemetry_is_passed_over(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.write(point(1), Mark(number=1))
    scene.folder.output.write_text("hello\n")
    scene.ship()
    scene.folder.output.unlink()
    scene.write(point(2), Mark(number=2), scene.checkpoint(2, 2))
    read = scene.world.log.read

    def newer(*stream: Any, **options: Any) -> list[Recorded]:
        found = read(*stream, **options)
        return [replace(each, type="Traced") if each.type == "LogsRecorded" else each for each in found]

    monkeypatch.setattr(scene.world.log, "read", newer)
    assert scene.ship().is_complete
    monkeypatch.undo()
    assert scene.steps() == [1, 2]
    assert [each.version for each in scene.world.telemetry(scene.run_id, 1)] == [1, 2, 3]


def test_facts_of_a_run_that_a_newer_release_has_written_to_wait(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the shipper with them: the training goes on, and its journal is there for whoever can tell it."""
    monkeypatch.setattr("runledger.tracker.retrying.FIRST_SECONDS", 0.01)
    scene.write(scene.checkpoint(1, 0), Ended(outcome="completed"))
    dispatch, refused = scene.services.dispatcher.dispatch, []

    def old(command: Any, *rest: Any, **more: Any) -> Any:
        if len(refused) < 3:
            refused.append(command)
            raise UnknownEvent("RunArchived", 1)
        return dispatch(command, *rest, **more)

    monkeypatch.setattr(scene.services.dispatcher, "dispatch", old)
    monkeypatch.setattr(scene.services.dispatcher, "dispatch_all", old)
    assert scene.ship().is_complete
    assert len(refused) == 3
