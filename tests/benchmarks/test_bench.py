"""The shared bits of the benchmarks: what others read from their output."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import inspect

from runledger.tracker.store.engine import open_ledger
from tests.benchmarks import bench


def test_the_last_line_is_words_that_a_machine_can_split(capsys: pytest.CaptureFixture[str]) -> None:
    bench.result(points_1=512_000, ratio_1=53.25, of_limit=0.5012, caught_up_s=1234.5, peer=None)

    said = capsys.readouterr().out.splitlines()

    assert said == ["RESULT points_1=512000 ratio_1=53.25 of_limit=0.5012 caught_up_s=1234 peer=n/a"]


def test_a_table_lines_its_columns_up(capsys: pytest.CaptureFixture[str]) -> None:
    bench.table([{"through": "dispatch", "a second": 12_500.0}, {"through": "bare", "a second": 9.5}])

    said = capsys.readouterr().out.splitlines()

    assert said == ["through   a second", "dispatch    12,500", "bare           9.5"]


def test_a_database_is_migrated_and_gone_afterwards() -> None:
    with bench.databases("sqlite") as addresses:
        engine = open_ledger(addresses.ledger_url)
        assert inspect(engine).has_table("events")
        engine.dispose()

    assert not Path(addresses.ledger_url.removeprefix("sqlite:///")).exists()


def test_the_machine_is_described_in_one_line() -> None:
    assert len(bench.describe_machine().splitlines()) == 1
