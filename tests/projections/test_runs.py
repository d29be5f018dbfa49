"""Questions about runs, asked of real events."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from runledger.projections import runs
from runledger.tracker.events import run as facts
from runledger.tracker.events.base import Event
from runledger.tracker.ids import Digest
from tests.projections.conftest import NOW, Story, checkpointed, requested, resume, started

CatchUp = Callable[[], None]


def get(conn: Connection, run_id: str, as_of: int | None = None) -> runs.RunView:
    run = runs.get_run(conn, run_id, as_of)
    assert run is not None
    return run


def environment(attempt: int, **more: Any) -> facts.RunEnvironmentRecorded:
    return facts.RunEnvironmentRecorded(attempt=attempt, versions={"jax": "0.10"}, devices=("cpu:0",), **more)


def artifact(path: str, digest: str, attempt: int = 1) -> facts.RunArtifactRecorded:
    return facts.RunArtifactRecorded(attempt=attempt, path=path, digest=Digest(digest), size_bytes=1)


def test_a_requested_run_waits_in_the_queue(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    position = story.run("r1", requested("first", tags={"team": "nlp"}, priority=3))
    catch_up()
    run = get(conn, "r1")
    assert (run.status, run.position, run.version, run.attempt) == ("queued", position, 1, 1)
    assert (run.name, run.priority, run.recipe, run.tags) == ("first", 3, "lm", {"team": "nlp"})
    assert run.params == {"seed": 7, "model.width": 64}
    assert run.spec.values == {"seed": 7, "model": {"width": 64}}
    assert (run.started_at, run.ended_at, run.attempts, run.failure) == (None, None, (), None)


def test_an_unknown_run_is_none(conn: Connection) -> None:
    assert runs.get_run(conn, "nobody") is None


def test_a_completed_run_knows_its_end(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    story.run("r1", requested(), started(), environment(1), checkpointed(10, (0, 0)))
    story.run("r1", facts.RunCompleted(attempt=1, step=20, metrics={"loss": math.inf}))
    catch_up()
    run = get(conn, "r1")
    assert (run.status, run.step, run.version, run.final_metrics) == ("completed", 20, 5, {"loss": math.inf})
    assert run.started_at is not None and run.ended_at is not None
    (attempt,) = run.attempts
    assert (attempt.ending, attempt.worker, attempt.epoch) == ("completed", "w1", 1)
    assert attempt.environment is not None and attempt.environment.versions == {"jax": "0.10"}


def test_a_failed_run_says_why_and_a_retry_forgets_it(
    story: Story, catch_up: CatchUp, conn: Connection
) -> None:
    story.run("r1", requested(), started())
    failed = facts.RunFailed(
        attempt=1, reason="diverged", error_class="ValueError", message="nan", last_lines=("a", "b")
    )
    position = story.run("r1", failed)
    story.run("r1", facts.RunRetried(attempt=2, why="demand"))
    catch_up()
    then, now = get(conn, "r1", as_of=position), get(conn, "r1")
    assert then.status == "failed" and then.failure is not None
    assert (then.failure.reason, then.failure.last_lines) == ("diverged", ("a", "b"))
    assert (now.status, now.attempt, now.failure, now.ended_at) == ("queued", 2, None, None)
    assert now.attempts[0].ending == "failed"


def test_a_lost_attempt_stays_lost_when_its_run_fails(
    story: Story, catch_up: CatchUp, conn: Connection
) -> None:
    lost = facts.RunAttemptLost(attempt=1, last_heartbeat_at=None, resume_point=None)
    story.run("r1", requested(), started(), lost, facts.RunFailed(attempt=1, reason="worker-lost"))
    catch_up()
    run = get(conn, "r1")
    assert (run.status, run.attempts[0].ending) == ("failed", "lost")


def test_an_attempt_that_returns_executes_again_in_another_epoch(
    story: Story, catch_up: CatchUp, conn: Connection
) -> None:
    lost = facts.RunAttemptLost(attempt=1, last_heartbeat_at=None, resume_point=None)
    failed = facts.RunFailed(attempt=1, reason="worker-lost")
    before = story.run("r1", requested(external=True), started(), lost, failed)
    catch_up()
    returned = story.run("r1", facts.RunAttemptReturned(attempt=1, worker="w1", epoch=3))
    story.run("r1", facts.RunCompleted(attempt=1))
    catch_up()
    then, back, now = (get(conn, "r1", as_of) for as_of in (before, returned, None))
    assert (then.status, then.attempts[0].ending, then.attempts[0].epoch) == ("failed", "lost", 1)
    assert (back.status, back.ended_at, back.failure) == ("running", None, None)
    assert (back.attempts[0].ending, back.attempts[0].ended_at, back.attempts[0].epoch) == (None, None, 3)
    assert (now.status, now.attempts[0].ending) == ("completed", "completed")


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ((facts.RunPauseRequested(), facts.RunPaused(attempt=1)), "pausing"),
        ((facts.RunCancellationRequested(),), "cancelling"),
    ],
)
def test_what_was_asked_of_an_attempt_that_returns_stands(
    story: Story, catch_up: CatchUp, conn: Connection, asked: tuple[Event, ...], shown: str
) -> None:
    story.run("r1", requested(external=True), started(), *asked)
    story.run("r1", facts.RunAttemptReturned(attempt=1, worker="w1", epoch=3))
    catch_up()
    assert get(conn, "r1").status == shown


def test_only_a_run_executed_elsewhere_is_told_by_its_own_clock(
    story: Story, catch_up: CatchUp, conn: Connection
) -> None:
    for run_id, external in (("ours", False), ("theirs", True)):
        story.run(run_id, requested(external=external), started(), facts.RunCompleted(attempt=1))
    catch_up()
    ours, theirs = get(conn, "ours"), get(conn, "theirs")
    assert (theirs.requested_at, theirs.started_at, theirs.ended_at) == (NOW, NOW, NOW)
    assert theirs.attempts[0].ended_at == NOW
    assert ours.requested_at == story.log.read("run-ours")[0].recorded_at
    assert ours.ended_at == story.log.read("run-ours")[2].recorded_at


def test_a_run_can_be_cancelled_before_it_starts(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    story.run("r1", requested(), facts.RunCancellationRequested(), facts.RunCancelled())
    catch_up()
    run = get(conn, "r1")
    assert (run.status, run.attempts, run.step) == ("cancelled", (), None)


def test_pausing_and_resuming_show(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    pausing = story.run("r1", requested(), started(), facts.RunPauseRequested())
    paused = story.run("r1", facts.RunPaused(attempt=1, step=5))
    resumed = story.run("r1", facts.RunResumed(attempt=2))
    story.run("r1", started(2, resume(5)))
    catch_up()
    statuses = [get(conn, "r1", as_of).status for as_of in (pausing, paused, resumed, None)]
    assert statuses == ["pausing", "paused", "queued", "running"]
    assert get(conn, "r1").attempts[1].resumed_from == resume(5)


def test_tags_come_and_go(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    first = story.run("r1", requested(tags={"a": "1", "b": "2"}))
    story.run("r1", facts.RunTagged(added={"a": "9", "c": "3"}, removed=("b",)))
    catch_up()
    assert runs.tags(conn, "r1") == {"a": "9", "c": "3"}
    assert runs.tags(conn, "r1", as_of=first) == {"a": "1", "b": "2"}


def test_the_human_side_can_be_asked_as_of_then(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    before = story.run("r1", requested("old"))
    story.run("r1", facts.RunRenamed(name="new"), facts.RunNoted(note="well"), facts.RunHidden())
    catch_up()
    then, now = get(conn, "r1", before), get(conn, "r1")
    assert (then.name, then.note, then.hidden, then.version) == ("old", "", False, 1)
    assert (now.name, now.note, now.hidden, now.version) == ("new", "well", True, 4)
    assert runs.get_run(conn, "r1", before - 1) is None


def test_params_keep_their_types_and_first_values(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    before = story.run("r1", requested(), started())
    late = {"lr": 1e-3, "note": "text", "nan": math.nan, "none": None, "flag": True, "seed": 8}
    story.run("r1", facts.RunParamsRecorded(params=late))
    catch_up()
    params = runs.params(conn, "r1")
    assert isinstance(params["nan"], float) and math.isnan(params.pop("nan"))  # type: ignore[arg-type]
    assert params == {"flag": True, "lr": 1e-3, "model.width": 64, "none": None, "note": "text", "seed": 7}
    assert runs.params(conn, "r1", as_of=before) == {"seed": 7, "model.width": 64}


def test_a_deleted_checkpoint_leaves_a_tombstone(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    before = story.run("r1", requested(), started(), checkpointed(1, (1, 3)), checkpointed(2, (2, 0)))
    story.run("r1", facts.RunCheckpointDeleted(attempt=1, step=1, digest=Digest("c1-1"), policy="latest 1"))
    catch_up()
    first, second = runs.checkpoints(conn, "r1")
    assert (first.step, first.deleted_by, second.deleted_at) == (1, "latest 1", None)
    assert first.deleted_at is not None
    assert (first.covers.version, first.covers.offset, first.size_bytes) == (1, 3, 10)
    assert [each.deleted_at for each in runs.checkpoints(conn, "r1", as_of=before)] == [None, None]


@pytest.mark.parametrize("loss", [None, 0.5, math.nan, math.inf, -math.inf])
def test_the_loss_of_a_checkpoint_is_kept_as_it_was(
    story: Story, catch_up: CatchUp, conn: Connection, loss: float | None
) -> None:
    saved = facts.RunCheckpointed(
        **{name: getattr(checkpointed(1, (0, 0)), name) for name in ("attempt", "step", "digest")},
        size_bytes=1,
        covers=checkpointed(1, (0, 0)).covers,
        loss=loss,
    )
    story.run("r1", requested(), started(), saved)
    catch_up()
    assert repr(runs.checkpoints(conn, "r1")[0].loss) == repr(loss)


def test_the_newest_artifact_of_a_path_is_found(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    first = story.run("r1", requested(), started(), artifact("b.txt", "1"), artifact("a/c.txt", "2"))
    story.run("r1", artifact("b.txt", "3"))
    catch_up()
    assert [(each.path, each.digest) for each in runs.artifacts(conn, "r1")] == [
        ("a/c.txt", "2"),
        ("b.txt", "3"),
    ]
    old = runs.find_artifact(conn, "r1", "b.txt", as_of=first)
    assert old is not None and old.digest == "1"
    assert runs.find_artifact(conn, "r1", "c.txt") is None


def test_the_environment_is_that_of_the_latest_attempt(
    story: Story, catch_up: CatchUp, conn: Connection
) -> None:
    story.run("r1", requested(), started(), environment(1, seed=1), facts.RunRetried(attempt=2, why="loss"))
    story.run("r1", started(2), environment(2, seed=2, resume="exact"), started(3))
    catch_up()
    latest, first = runs.environment(conn, "r1"), runs.environment(conn, "r1", attempt=1)
    assert latest is not None and (latest.attempt, latest.resume) == (2, "exact")
    assert first is not None and first.seed == 1
    assert runs.environment(conn, "r1", attempt=3) is None


def test_lists_are_newest_first_in_pages(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    for index in range(7):
        story.run(f"r{index}", requested(tags={"n": str(index)}))
    catch_up()
    pages, after = [], None
    while True:
        page = runs.list_runs(conn, limit=3, after=after)
        pages.append([(each.run_id, each.tags["n"]) for each in page.runs])
        after = page.next
        if after is None:
            break
    assert pages == [
        [("r6", "6"), ("r5", "5"), ("r4", "4")],
        [("r3", "3"), ("r2", "2"), ("r1", "1")],
        [("r0", "0")],
    ]


def test_a_full_last_page_has_no_next(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    story.run("r1", requested())
    story.run("r2", requested())
    catch_up()
    assert runs.list_runs(conn, limit=2).next is None


def test_lists_filter_by_experiment_and_status(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    story.run("r1", requested(experiment="e1"))
    story.run("r2", requested(experiment="e2"), started())
    before = story.run("r3", requested(experiment="e2"))
    story.run("r3", started(), facts.RunCompleted(attempt=1))
    story.run("r4", requested(experiment="e2"), facts.RunHidden())
    catch_up()

    def listed(**filters: Any) -> list[str]:
        return [each.run_id for each in runs.list_runs(conn, **filters).runs]

    assert listed(experiment="e2") == ["r3", "r2"]
    assert listed(experiment="e2", hidden=True) == ["r4", "r3", "r2"]
    assert listed(status=["running", "completed"]) == ["r3", "r2"]
    assert listed(status=["queued"], as_of=before) == ["r3", "r1"]
    assert listed(experiment="nothing") == []
    assert runs.count_by_status(conn) == {"completed": 1, "queued": 2, "running": 1}
    assert runs.count_by_status(conn, "e1") == {"queued": 1}
    assert runs.count_by_status(conn, as_of=before) == {"queued": 2, "running": 1}


def test_a_nul_character_stops_nothing(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    story.run("r1", requested(tags={"a\0b": "c\0"}), facts.RunNoted(note="x\0y"))
    catch_up()
    story.run("r1", facts.RunTagged(added={"a\0b": "d"}))
    catch_up()
    run = get(conn, "r1")
    assert (run.note, run.tags) == ("x\N{REPLACEMENT CHARACTER}y", {"a\N{REPLACEMENT CHARACTER}b": "d"})
