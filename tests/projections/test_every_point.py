"""Curves and summaries against plain lists of points, whatever order attempts, cuts and batches come in.

The domain is not asked here, so there is more than it would allow: telemetry before a start and long after
an end, resume points of others, cuts anywhere, empty batches, steps that repeat and go back.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict

import pytest
from sqlalchemy import Connection, Engine, delete

from runledger.projections import metrics
from runledger.projections.runner import ProjectionSettings, Runner
from runledger.projections.tables import cursors
from runledger.tracker.effective import NOTHING, cut, points_within
from runledger.tracker.events.base import Covers, ResumePoint
from runledger.tracker.events.telemetry import LogsRecorded
from runledger.tracker.ids import Digest, RunId, telemetry_stream
from runledger.tracker.store.log import Log
from tests.projections.conftest import Point, Story, batch, checkpointed, requested, resume, rows_of, started

VALUES = (0.5, 0.25, -1.0, 0.0, 3e300, -3e300, math.nan, math.inf, -math.inf)
KEYS = ("a", "b", "c/d", "é", "z\0", "zz")

Kept = tuple[int, float, int]
"""Step, value, attempt."""


class Tale:
    """What is told of one run, and the same in lists."""

    def __init__(self, story: Story, run_id: str, chance: random.Random) -> None:
        self.run_id = run_id
        self._story = story
        self._chance = chance
        self._attempts: dict[int, ResumePoint | None] = {}
        self._checkpoints: dict[ResumePoint, Covers] = {}
        self._batches: defaultdict[int, list[tuple[int, list[Point]]]] = defaultdict(list)
        story.run(run_id, requested())

    def go_on(self, turn: int) -> None:
        newest, luck = len(self._attempts), self._chance.random()
        if luck < 0.12:
            self._start(newest + 1)
        elif luck < 0.22 and newest:
            self._save(newest, turn)
        else:
            is_late = not newest or self._chance.random() < 0.25
            self._report(self._chance.randint(1, newest + 1) if is_late else newest)

    def points(self) -> tuple[dict[str, list[Kept]], dict[str, list[Kept]]]:
        """The effective ones by key, and the superseded ones."""
        cuts = cut(self._attempts, self._checkpoints)
        found: tuple[dict[str, list[Kept]], dict[str, list[Kept]]] = (defaultdict(list), defaultdict(list))
        for attempt, batches in sorted(self._batches.items()):
            for version, points in batches:
                reach = points_within(version, len(points), cuts.get(attempt, NOTHING))
                for place, (key, step, value) in enumerate(points):
                    kept = found[0] if place < reach else found[1]
                    kept[key.replace("\0", "\N{REPLACEMENT CHARACTER}")].append((step, value, attempt))
        return found

    def _start(self, attempt: int) -> None:
        known = [*self._checkpoints, None, resume(3, digest="of another run")]
        self._attempts[attempt] = self._chance.choice(known)
        self._story.run(self.run_id, started(attempt, self._attempts[attempt]))

    def _save(self, attempt: int, turn: int) -> None:
        version = self._story.version(telemetry_stream(RunId(self.run_id), attempt))
        covers = Covers(version=self._chance.randint(0, version), offset=self._chance.randint(0, 5))
        self._story.run(self.run_id, checkpointed(turn, (covers.version, covers.offset), attempt))
        self._checkpoints[resume(turn, attempt)] = covers

    def _report(self, attempt: int) -> None:
        stream = telemetry_stream(RunId(self.run_id), attempt)
        if self._chance.random() < 0.2:
            self._story.tell(stream, LogsRecorded(start=0, size_bytes=1, digest=Digest("l")))
            return
        keys = KEYS[: self._chance.randint(1, len(KEYS))]
        points: list[Point] = [
            (self._chance.choice(keys), self._chance.randint(-3, 6), self._chance.choice(VALUES))
            for _ in range(self._chance.choice([0, 1, 3, 9]))
        ]
        self._story.tell(stream, batch(*points))
        self._batches[attempt].append((self._story.version(stream), points))


@pytest.mark.parametrize("seed", range(4))
def test_every_point_is_where_it_belongs_and_rebuilt_equals_live(
    story: Story, log: Log, views: Engine, conn: Connection, seed: int
) -> None:
    chance = random.Random(seed)
    runner = Runner(log, views, [metrics.PROJECTION])
    tales = [Tale(story, run_id, chance) for run_id in ("r1", "r2")]
    for turn in range(70):
        chance.choice(tales).go_on(turn)
        if chance.random() < 0.3:
            runner.catch_up()
    runner.catch_up()
    for tale in tales:
        compare(conn, tale, log.head())
    live = rows_of(views)
    for pages in (1, 7):
        forget(views)
        Runner(log, views, [metrics.PROJECTION], ProjectionSettings(batch=pages)).catch_up()
        assert rows_of(views) == live


def compare(conn: Connection, tale: Tale, head: int) -> None:
    effective, superseded = tale.points()
    found = {each.key: each for each in metrics.summaries(conn, tale.run_id)}
    assert repr(found) == repr({each.key: each for each in metrics.summaries(conn, tale.run_id, head)})
    assert set(found) == set(effective)
    for key, points in effective.items():
        assert repr(facts_of(found[key])) == repr(facts_in(points))
    for is_superseded, pool in ((False, effective), (True, superseded)):
        for key in {*effective, *superseded}:
            shown = metrics.series(conn, tale.run_id, key, max_points=None, superseded=is_superseded)
            columns = zip(shown.step, shown.value, shown.attempt, strict=True)
            assert repr(list(columns)) == repr(pool.get(key, []))


def facts_of(summary: metrics.MetricSummary) -> tuple[object, ...]:
    return (
        *(summary.points, summary.non_finite, summary.last_value, summary.last_step),
        *(summary.min_value, summary.min_step, summary.max_value, summary.max_step),
    )


def facts_in(points: list[Kept]) -> tuple[object, ...]:
    finite = [(value, step) for step, value, _ in points if math.isfinite(value)]
    least = min(finite, key=lambda each: each[0], default=(None, None))
    greatest = max(finite, key=lambda each: each[0], default=(None, None))
    step, value, _ = points[-1]
    return (len(points), len(points) - len(finite), value, step, *least, *greatest)


def forget(views: Engine) -> None:
    with views.begin() as conn:
        for table in (*metrics.PROJECTION.tables, cursors):
            conn.execute(delete(table))
