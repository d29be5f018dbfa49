"""Forks: which checkpoint one begins from, what has changed, and what its first attempts say of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from runledger.tracker import events
from runledger.tracker.aggregates.errors import CheckpointNotKept
from runledger.tracker.aggregates.run import Run, fold, fork_point
from runledger.tracker.events.base import ForkPoint
from runledger.tracker.events.run import RunRequested
from runledger.tracker.ids import RunId
from runledger.tracker.spec import RunSpec
from tests.tracker.builders import (
    SPEC,
    R,
    checkpointed,
    deleted,
    digest,
    environment,
    point,
    record_environment,
    requested,
    started,
)
from tests.tracker.deciders import given


def run(*life: Any) -> Run:
    state = fold([requested(), started(), *life])
    assert state is not None
    return state


def spec(**changes: Any) -> RunSpec:
    return msgspec.structs.replace(SPEC, **changes)


def test_the_last_checkpoint_is_forked_unless_a_step_is_named() -> None:
    state = run(checkpointed(5), checkpointed(10))
    assert fork_point(state, R, SPEC) == ForkPoint(run_id=R, step=10, digest=digest(10), changed=())
    assert fork_point(state, R, SPEC, 5).digest == digest(5)


def test_also_one_that_no_attempt_goes_on_from_is_forked_but_one_on_the_line_comes_first() -> None:
    resumed = (started(2, point(5)), checkpointed(10, attempt=2))
    state = run(checkpointed(5), checkpointed(10), checkpointed(15), *resumed)
    assert fork_point(state, R, SPEC, 10).digest == digest(10, attempt=2)
    assert fork_point(state, R, SPEC, 15).digest == digest(15, attempt=1)
    assert fork_point(state, R, SPEC).digest == digest(10, attempt=2)


@pytest.mark.parametrize(("life", "step"), [((), None), ((checkpointed(5),), 6), ((checkpointed(5),), 0)])
def test_there_is_no_fork_without_its_checkpoint(life: tuple[Any, ...], step: int | None) -> None:
    with pytest.raises(CheckpointNotKept):
        fork_point(run(*life), R, SPEC, step)


def test_a_deleted_checkpoint_is_none() -> None:
    state = run(checkpointed(5), checkpointed(10), deleted(5))
    assert fork_point(state, R, SPEC).step == 10
    with pytest.raises(CheckpointNotKept, match="at step 5"):
        fork_point(state, R, SPEC, 5)


@pytest.mark.parametrize(
    ("after", "changed"),
    [
        (spec(), ()),
        (spec(values={"model": {"layers": 2}, "rate": 0.1}), ("spec.rate",)),
        (spec(values={"model": {"layers": 2.0}, "rate": 0.5}), ("spec.model.layers",)),
        (spec(values={"model": {}, "rate": 0.5, "seed": 1}), ("spec.model.layers", "spec.seed")),
        (spec(digest="other"), ("recipe",)),
    ],
)
def test_what_is_asked_for_otherwise_is_named(after: RunSpec, changed: tuple[str, ...]) -> None:
    assert fork_point(run(checkpointed(5)), R, after).changed == changed


def forked(*changed: str) -> RunRequested:
    return requested(forked_from=ForkPoint(run_id="other", step=5, digest=digest(5), changed=changed))


THERE = environment(seed=7)


def test_a_fork_with_nothing_changed_is_exact_where_it_began_in_the_same_environment() -> None:
    record = record_environment(seed=7, forked_from=THERE)
    given(forked(), started()).when(record).then(environment(seed=7, resume="exact"))


def test_a_fork_says_what_was_changed_and_what_has_changed() -> None:
    record = record_environment(seed=8, forked_from=THERE)
    given(forked("spec.rate"), started()).when(record).then(
        environment(seed=8, resume="changed", changed=("seed", "spec.rate"))
    )


def test_a_fork_of_what_nobody_has_seen_may_differ_in_all() -> None:
    given(forked(), started()).when(record_environment()).then(
        environment(
            resume="changed",
            changed=(
                *("versions", "devices", "flags", "seed"),
                *("code_revision", "code_diff_digest", "lock_digest", "dataset_digest"),
            ),
        )
    )


def test_once_it_has_a_checkpoint_of_its_own_a_fork_is_compared_with_itself() -> None:
    life = (forked("spec.rate"), started(), environment(resume="changed", changed=("spec.rate",)))
    given(*life, checkpointed(7), started(2, point(7))).when(record_environment(2)).then(
        environment(2, resume="exact")
    )


def test_a_fork_point_of_an_older_release_is_read_and_written_as_it_was() -> None:
    old = requested(forked_from=ForkPoint(run_id="other", step=5, digest=digest(5)))
    stored = events.encode(old)
    assert b"changed" not in stored
    assert events.encode(events.decode("RunRequested", 1, stored)) == stored
    given(old, started()).when(record_environment(forked_from=environment())).then(
        environment(resume="exact")
    )


def test_a_fork_point_as_it_is_stored_today() -> None:
    point = ForkPoint(run_id=RunId("r"), step=5, digest=digest(5), changed=("recipe",))
    stored = bytes.fromhex(
        "84a672756e5f6964a172a47374657005a6646967657374d940"
        "30303030303030303030303030303030303030303030303030303030303030313030303030303030303030303030"
        "303030303030303030303030303030303035a76368616e67656491a6726563697065"
    )
    assert msgspec.msgpack.encode(point) == stored
