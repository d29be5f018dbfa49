"""A run is requested once, and described for ever after."""

from __future__ import annotations

import pytest

from runledger.tracker.aggregates import errors
from runledger.tracker.aggregates.run import (
    Command,
    HideRun,
    NoteRun,
    RecordParams,
    RenameRun,
    RequestCancellation,
    ShowRun,
    StartAttempt,
    TagRun,
    fold,
)
from runledger.tracker.errors import BadInput, NotFound
from runledger.tracker.events.run import (
    RunCompleted,
    RunHidden,
    RunNoted,
    RunRenamed,
    RunShown,
    RunTagged,
)
from runledger.tracker.spec import RunSpec
from tests.tracker.builders import R, request, requested, started
from tests.tracker.deciders import given

COMPLETED = (requested(), started(), RunCompleted(attempt=1))


def test_a_request_makes_a_queued_run() -> None:
    given().when(request()).then(requested())
    run = fold([requested()])
    assert run is not None
    assert (run.status, run.attempt, run.version) == ("queued", 1, 1)
    assert run.params == {"model.layers": 2, "rate": 0.5}


def test_the_same_request_again_is_no_news() -> None:
    given(requested()).when(request()).then_nothing()


def test_the_same_request_with_a_nan_in_its_spec_is_recognised() -> None:
    spec = requested().spec
    first = requested(spec=type(spec)(recipe="lm", version=1, digest="d", values={"x": float("nan")}))
    again = type(spec)(recipe="lm", version=1, digest="d", values={"x": float("nan")})
    given(first).when(request(spec=again)).then_nothing()


def test_another_request_under_the_same_id_is_refused() -> None:
    given(requested()).when(request(name="other")).refused_with(errors.RunAlreadyRequested)


def test_a_key_that_no_index_could_hold_is_refused() -> None:
    spec = RunSpec(recipe="lm", version=1, digest="d", values={"model": {"x" * 500: 1}})
    given().when(request(spec=spec)).refused_with(BadInput, r"\$\.spec")
    late = RecordParams(run_id=R, attempt=1, params={"x" * 501: 1})
    given(requested(), started()).when(late).refused_with(BadInput, r"\$\.params")


@pytest.mark.parametrize("name", ["", "  ", "x" * 251])
def test_a_name_is_a_name(name: str) -> None:
    given().when(request(name=name)).refused_with(BadInput, r"\$\.name")
    given(requested()).when(RenameRun(run_id=R, name=name)).refused_with(BadInput, r"\$\.name")


def test_a_priority_is_bounded() -> None:
    given().when(request(priority=1_000_001)).refused_with(BadInput, r"\$\.priority")


def test_a_tag_has_a_key_and_a_bounded_value() -> None:
    given().when(request(tags={"": "x"})).refused_with(BadInput, r"\$\.tags")
    given(requested()).when(TagRun(run_id=R, added={"a": "x" * 5_001})).refused_with(BadInput, r"\$\.tags\.a")


@pytest.mark.parametrize(
    "command",
    [
        StartAttempt(run_id=R, attempt=1, worker="w", epoch=1),
        RequestCancellation(run_id=R),
        HideRun(run_id=R),
    ],
)
def test_a_run_that_nobody_requested_is_not_found(command: Command) -> None:
    given().when(command).refused_with(NotFound, "no run 'r'")


@pytest.mark.parametrize(
    ("command", "event"),
    [
        (RenameRun(run_id=R, name="new"), RunRenamed(name="new")),
        (TagRun(run_id=R, added={"a": "b"}), RunTagged(added={"a": "b"})),
        (NoteRun(run_id=R, note="good"), RunNoted(note="good")),
        (HideRun(run_id=R, reason="typo"), RunHidden(reason="typo")),
    ],
)
@pytest.mark.parametrize("life", [(requested(),), COMPLETED])
def test_people_describe_a_run_at_any_time_and_twice_is_once(
    life: tuple[RunCompleted, ...], command: Command, event: RunHidden
) -> None:
    given(*life).when(command).then(event)
    given(*life, event).when(command).then_nothing()


def test_a_hidden_run_is_shown_again() -> None:
    show = ShowRun(run_id=R, reason="needed")
    given(requested()).when(show).then_nothing()
    given(requested(), RunHidden()).when(show).then(RunShown(reason="needed"))


def test_only_tags_that_change_are_told() -> None:
    life = given(requested(tags={"a": "1", "b": "2"}))
    command = TagRun(run_id=R, added={"a": "1", "c": "3"}, removed=("b", "z", "c"))
    life.when(command).then(RunTagged(added={"c": "3"}, removed=("b",)))
    run = fold([requested(tags={"a": "1", "b": "2"}), RunTagged(added={"c": "3"}, removed=("b",))])
    assert run is not None
    assert run.tags == {"a": "1", "c": "3"}


def test_a_stream_that_does_not_begin_with_a_request_is_a_bug() -> None:
    with pytest.raises(ValueError, match="RunHidden stands before RunRequested"):
        fold([RunHidden()])
