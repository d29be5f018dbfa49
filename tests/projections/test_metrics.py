"""Curves, asked of real telemetry: which points are effective, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
import pytest
from sqlalchemy import Connection

from runledger.projections import metrics
from runledger.projections.metrics import effective, segments
from runledger.projections.metrics.points import Batch, Points, put_together, put_together_of_key
from runledger.tracker.errors import BadInput
from runledger.tracker.events.telemetry import MetricsRecorded
from runledger.tracker.ids import RunId, telemetry_stream
from tests.projections.conftest import Point, Story, batch, checkpointed, requested, resume, started

CatchUp = Callable[[], None]
SEVERAL = 1_000


def losses(*steps: int, attempt: int = 1) -> tuple[Point, ...]:
    """The value tells the attempt and the step."""
    return tuple(("loss", step, attempt * SEVERAL + step) for step in steps)


def curve(conn: Connection, *, superseded: bool = False, as_of: int | None = None) -> list[float]:
    return list(metrics.series(conn, "r1", "loss", superseded=superseded, as_of=as_of).value)


def test_a_series_is_exact_where_there_are_few_points(
    story: Story, catch_up: CatchUp, conn: Connection
) -> None:
    story.run("r1", requested(), started())
    story.metrics("r1", 1, ("loss", 1, 0.5), ("lr", 1, 1e-3), ("loss", 2, 0.25))
    story.metrics("r1", 1, ("loss", 3, 0.125))
    catch_up()
    series = metrics.series(conn, "r1", "loss")
    assert (series.points, series.step, series.value) == (3, (1, 2, 3), (0.5, 0.25, 0.125))
    assert series.time == (1_000_000, 2_000_000, 3_000_000)
    assert series.attempt == (1, 1, 1)
    assert metrics.has_key(conn, "r1", "lr") and not metrics.has_key(conn, "r1", "l")


def test_a_key_that_was_never_logged_has_no_points(conn: Connection) -> None:
    series = metrics.series(conn, "r1", "loss")
    assert (series.points, series.step, series.value) == (0, (), ())


def test_a_resumed_run_goes_on_where_its_checkpoint_covers(
    story: Story, catch_up: CatchUp, conn: Connection
) -> None:
    story.run("r1", requested(), started())
    story.metrics("r1", 1, *losses(1, 2, 3))
    story.metrics("r1", 1, *losses(4, 5, 6))
    story.run("r1", checkpointed(4, (2, 1)))
    before = story.metrics("r1", 1, *losses(7, 8))
    story.run("r1", started(2, resume(4)))
    story.metrics("r1", 2, *losses(5, 6, attempt=2))
    catch_up()
    assert curve(conn) == [1001, 1002, 1003, 1004, 2005, 2006]
    assert curve(conn, superseded=True) == [1005, 1006, 1007, 1008]
    assert curve(conn, as_of=before) == [1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008]
    assert curve(conn, as_of=before, superseded=True) == []


def test_the_cut_counts_the_points_of_all_keys(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    story.run("r1", requested(), started())
    points: list[Point] = [(key, step, step) for step in (1, 2, 3) for key in ("lr", "loss")]
    story.metrics("r1", 1, *points)
    story.run("r1", checkpointed(2, (1, 3)), started(2, resume(2)))
    catch_up()
    assert metrics.series(conn, "r1", "lr").step == (1, 2)
    assert metrics.series(conn, "r1", "loss").step == (1,)
    assert metrics.series(conn, "r1", "loss", superseded=True).step == (2, 3)
    assert [(each.key, each.points) for each in metrics.summaries(conn, "r1")] == [("loss", 1), ("lr", 2)]


def test_an_attempt_replaced_by_one_from_nothing_has_no_effective_points(
    story: Story, catch_up: CatchUp, conn: Connection
) -> None:
    story.run("r1", requested(), started())
    story.metrics("r1", 1, *losses(1, 2))
    catch_up()
    story.run("r1", started(2))
    catch_up()
    assert curve(conn) == [] and metrics.summaries(conn, "r1") == ()
    story.metrics("r1", 2, *losses(1, attempt=2))
    catch_up()
    assert curve(conn) == [2001]
    assert curve(conn, superseded=True) == [1001, 1002]


def test_a_chain_of_attempts_counts_only_what_the_last_one_rests_on(
    story: Story, catch_up: CatchUp, conn: Connection
) -> None:
    story.run("r1", requested(), started())
    story.metrics("r1", 1, *losses(1, 2, 3))
    story.run("r1", checkpointed(1, (1, 1)), checkpointed(2, (1, 2)), started(2, resume(2)))
    story.metrics("r1", 2, *losses(3, 4, attempt=2))
    story.run("r1", checkpointed(3, (1, 1), attempt=2), started(3, resume(1)))
    story.metrics("r1", 3, *losses(2, attempt=3))
    catch_up()
    assert curve(conn) == [1001, 3002]
    story.run("r1", checkpointed(2, (1, 1), attempt=3), started(4, resume(3, attempt=2)))
    catch_up()
    assert curve(conn) == [1001, 1002, 2003]


def test_late_telemetry_of_an_old_attempt_changes_no_effective_point(
    story: Story, catch_up: CatchUp, conn: Connection
) -> None:
    story.run("r1", requested(), started())
    story.metrics("r1", 1, *losses(1, 2))
    story.run("r1", checkpointed(2, (1, 2)), started(2, resume(2)))
    story.metrics("r1", 2, *losses(3, attempt=2))
    catch_up()
    before = metrics.summaries(conn, "r1")
    story.metrics("r1", 1, *losses(3, 4))
    catch_up()
    assert metrics.summaries(conn, "r1") == before
    assert curve(conn) == [1001, 1002, 2003]
    assert curve(conn, superseded=True) == [1003, 1004]


def test_telemetry_before_the_first_start_counts_from_the_start_on(
    story: Story, catch_up: CatchUp, conn: Connection
) -> None:
    story.run("r1", requested())
    story.metrics("r1", 1, *losses(1))
    catch_up()
    assert metrics.summaries(conn, "r1") == ()
    story.run("r1", started())
    catch_up()
    assert [each.points for each in metrics.summaries(conn, "r1")] == [1]


def test_summaries_are_those_of_the_effective_points(
    story: Story, catch_up: CatchUp, conn: Connection
) -> None:
    story.run("r1", requested(), started())
    story.metrics("r1", 1, ("loss", 1, 3.0), ("loss", 2, 1.0), ("loss", 3, -9.0))
    story.run("r1", checkpointed(2, (1, 2)))
    first = story.metrics("r1", 1, ("loss", 4, math.nan))
    story.run("r1", started(2, resume(2)))
    story.metrics("r1", 2, ("loss", 3, math.inf), ("loss", 4, 1.0), ("acc", 4, math.nan))
    catch_up()
    acc, loss = metrics.summaries(conn, "r1")
    assert (loss.key, loss.points, loss.non_finite, loss.last_value, loss.last_step) == ("loss", 4, 1, 1.0, 4)
    assert (loss.min_value, loss.min_step, loss.max_value, loss.max_step) == (1.0, 2, 3.0, 1)
    assert math.isnan(acc.last_value)
    assert (acc.points, acc.non_finite, acc.min_value, acc.max_step) == (1, 1, None, None)
    (then,) = metrics.summaries(conn, "r1", as_of=first)
    assert (then.points, then.min_value, then.non_finite) == (4, -9.0, 1)
    assert math.isnan(then.last_value)


def test_summaries_of_many_runs_take_one_question(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    for run_id in ("r1", "r2"):
        story.run(run_id, requested(), started())
        story.metrics(run_id, 1, ("loss", 1, 0.5), ("lr", 1, 1e-3))
    catch_up()
    found = metrics.summaries_of(conn, ["r1", "r2", "r3"], keys=["loss"])
    assert {run_id: list(of_run) for run_id, of_run in found.items()} == {
        "r1": ["loss"],
        "r2": ["loss"],
        "r3": [],
    }
    assert found["r1"]["loss"].last_value == 0.5


def test_a_run_of_many_attempts_is_read_one_attempt_after_the_other(
    story: Story, catch_up: CatchUp, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for attempt in (1, 2, 3):
        story.run("r1", *([] if attempt > 1 else [requested()]), started(attempt))
        story.metrics("r1", attempt, *losses(1, attempt=attempt))
    catch_up()
    decoded: list[int] = []

    def count(row: Mapping[str, Any]) -> Batch:
        decoded.append(row["attempt"])
        return segments.batch_of(row)

    monkeypatch.setattr(effective, "batch_of", count)
    parts = effective.read_points(conn, "r1", key="loss")
    assert [(next(parts)[0], list(decoded)) for _ in range(3)] == [(1, [1]), (2, [1, 2]), (3, [1, 2, 3])]
    decoded.clear()
    assert curve(conn) == [3001] and decoded == [3]  # what is superseded is not even read


def test_a_part_of_a_series_can_be_asked_for(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    story.run("r1", requested(), started())
    story.metrics("r1", 1, *losses(1, 2, 3, 4, 5))
    catch_up()
    part = metrics.series(conn, "r1", "loss", after_step=2, until_step=4)
    assert (part.points, part.step) == (2, (3, 4))


def test_too_few_points_to_draw_are_refused(conn: Connection) -> None:
    with pytest.raises(BadInput, match="max_points"):
        metrics.series(conn, "r1", "loss", max_points=9)


def test_steps_may_go_back(story: Story, catch_up: CatchUp, conn: Connection) -> None:
    story.run("r1", requested(), started())
    story.metrics("r1", 1, *[("loss", step % 7, float(step)) for step in range(100)])
    catch_up()
    series = metrics.series(conn, "r1", "loss", max_points=20)
    assert len(series.value) == 20 and series.points == 100
    assert list(series.value) == sorted(series.value)


@pytest.fixture
def long_run(story: Story, catch_up: CatchUp) -> None:
    """100,000 points with a spike, a gap and an infinity."""
    values = np.sin(np.linspace(0, 50, 100_000))
    values[12_345], values[50_000:50_010], values[70_000] = 99.0, math.nan, math.inf
    story.run("r1", requested(), started())
    for start in range(0, len(values), 20_000):
        part = values[start : start + 20_000]
        steps = np.arange(start, start + len(part), dtype="<i8").tobytes()
        event = MetricsRecorded(
            keys=("loss",),
            key_index=np.zeros(len(part), "<u2").tobytes(),
            step=steps,
            time=steps,
            value=part.tobytes(),
        )
        story.tell(telemetry_stream(RunId("r1"), 1), event)
    catch_up()


@pytest.mark.usefixtures("long_run")
def test_a_long_series_is_thinned_out_true_to_its_shape(conn: Connection) -> None:
    series = metrics.series(conn, "r1", "loss", max_points=1000)
    assert (series.points, series.non_finite) == (100_000, 11)
    assert 900 < len(series.value) <= 1000
    assert (series.step[0], series.step[-1]) == (0, 99_999)
    assert max(value for value in series.value if math.isfinite(value)) == 99.0
    gaps = [step for step, value in zip(series.step, series.value, strict=True) if not math.isfinite(value)]
    assert gaps == [50_000, 70_000]


@pytest.mark.usefixtures("long_run")
def test_the_whole_series_drops_nothing(conn: Connection) -> None:
    series = metrics.series(conn, "r1", "loss", max_points=None)
    assert len(series.value) == 100_000
    assert sum(not math.isfinite(value) for value in series.value) == 11


def test_batches_are_put_together_by_key_in_the_order_of_logging() -> None:
    first, second = batch(("b", 1, 1.0), ("a", 2, 2.0), ("b", 3, 3.0)), batch(("b", 4, 4.0))
    points = put_together([Batch(7, 70, first), Batch(9, 90, second)])
    assert points.keys == ("a", "b")
    b = points.of_key("b")
    assert (b.step.tolist(), b.value.tolist()) == ([1, 3, 4], [1.0, 3.0, 4.0])
    assert (b.place.tolist(), b.versions[b.batch].tolist()) == ([0, 2, 0], [7, 7, 9])
    assert points.of_key("a").place.tolist() == [1]
    assert len(points.of_key("c")) == 0


@pytest.mark.parametrize("key", ["a", "b", "c", "x\N{REPLACEMENT CHARACTER}"])
def test_one_key_is_picked_as_it_is_put_together(key: str) -> None:
    events = (
        batch(("b", 1, 1.0), ("a", 2, 2.0), ("b", 3, 3.0)),
        batch(("x\0", 1, 0.5)),
        batch(("b", 4, 4.0)),
    )
    batches = [Batch(number, 10 * number, event) for number, event in enumerate(events, 1)]
    whole, picked = put_together(batches).of_key(key), put_together_of_key(batches, key)
    for name in Points.__struct_fields__:
        assert list(getattr(whole, name)) == list(getattr(picked, name)), name


def test_a_key_without_points_is_left_out() -> None:
    event = batch(("a", 1, 1.0))
    named = msgspec.structs.replace(event, keys=("a", "b"))
    assert put_together([Batch(1, 1, named)]).keys == ("a",)


def test_no_batches_are_no_points() -> None:
    points = put_together([])
    assert (len(points), points.keys) == (0, ())


@pytest.mark.parametrize("column", ["key_index", "step", "time", "value"])
def test_columns_that_do_not_fit_together_are_an_error(column: str) -> None:
    whole = {name: getattr(batch(("a", 1, 1.0)), name) for name in MetricsRecorded.__struct_fields__}
    with pytest.raises(ValueError, match="different lengths"):
        put_together([Batch(1, 1, MetricsRecorded(**whole | {column: b""}))])


def test_a_point_of_an_unnamed_key_is_an_error() -> None:
    event = batch(("a", 1, 1.0))
    bad = MetricsRecorded(
        keys=(), key_index=event.key_index, step=event.step, time=event.time, value=event.value
    )
    with pytest.raises(ValueError, match="does not name"):
        put_together([Batch(1, 1, bad)])
