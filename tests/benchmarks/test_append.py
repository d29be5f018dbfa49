"""What the benchmark of appends compares is the same on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pytest

from runledger.tracker.envelope import GENESIS, Recorded
from tests.benchmarks.append import Bench, Cell


@pytest.fixture
def bench(database_urls: tuple[str, str]) -> Iterator[Bench]:
    bench = Bench(database_urls[0])
    yield bench
    bench.close()


@pytest.mark.parametrize("path", ["record", "dispatch"])
def test_the_bare_side_appends_what_ours_appends(bench: Bench, path: str) -> None:
    cell = Cell(path, events=3, writers=2)
    ours, bare = bench.ours(cell, 4), bench.bare(cell, 4)
    assert (ours.events, len(ours.seconds)) == (bare.events, len(bare.seconds)) == (24, 8)
    grouped = bench.grouped(cell, 4, group=2)
    assert (grouped.events, len(grouped.seconds)) == (24, 4)
    events = bench.log.tail(0).events
    assert [each.position for each in events] == list(range(1, len(events) + 1))
    streams = groupby(sorted(events, key=lambda each: (each.stream, each.version)), lambda each: each.stream)
    shapes = [shape_of(list(stream)) for _, stream in streams]
    assert len(shapes) == 6
    assert len(set(shapes)) == 1


def shape_of(events: list[Recorded]) -> tuple[tuple[int, str, int], ...]:
    """Version, type and size of each event, after looking that each follows on its predecessor."""
    assert [each.prev_hash for each in events] == [GENESIS, *(each.hash for each in events[:-1])]
    return tuple((each.version, each.type, len(each.payload)) for each in events)


def test_the_size_of_groups_is_that_of_the_blocks(bench: Bench) -> None:
    bench.ours(Cell("dispatch", events=1, writers=1), 5)
    assert bench.group_sizes == [1] * 5
