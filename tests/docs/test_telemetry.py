"""The examples of the page about telemetry are taken as they stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runledger.api.batches import JSON, LONGEST_KEY, MSGPACK
from runledger.api.rest.telemetry import LARGEST_OUTPUT
from runledger.api.settings import ApiSettings
from runledger.tracker.events.telemetry import MAX_POINTS
from tests.api.conftest import Api, serving
from tests.api.elsewhere import begun
from tests.api.test_ingest import Sender
from tests.conftest import Databases

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "telemetry.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def packed() -> bytes:
    names: dict[str, Any] = {}
    (block,) = blocks("python")
    exec(block, names)
    found: bytes = names["body"]
    return found


@pytest.fixture
def api(sqlite_databases: Databases, tmp_path: Path) -> Iterator[Api]:
    with serving(sqlite_databases.migrated(), tmp_path / "blobs") as api:
        yield api


def test_every_form_on_the_page_is_taken(api: Api) -> None:
    sender = Sender(begun(api))
    answer, *bodies = blocks("json")
    first = sender.post("metrics", bodies[0].encode(), JSON)
    assert (first.status_code, first.json().keys()) == (200, msgspec.json.decode(answer).keys())
    assert sender.post("metrics", bodies[1].encode(), JSON).status_code == 200
    assert sender.post("metrics", packed(), MSGPACK).status_code == 200
    series = api.get(f"/runs/{sender.executor.run_id}/metrics/train/loss")
    assert series["value"] == [2.31, "NaN", 2.29, 2.27, 2.25, 2.24]
    assert series["step"] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "limit",
    [
        f"1 to {MAX_POINTS:,}",
        f"1 to {LONGEST_KEY} characters",
        f"{ApiSettings().max_body_bytes // 2**20} MiB (`RUNLEDGER_MAX_BODY_BYTES`)",
        f"{LARGEST_OUTPUT // 2**20} MiB",
        f"{ApiSettings().telemetry_bytes // 2**20} MiB (`RUNLEDGER_TELEMETRY_BYTES`)",
    ],
)
def test_the_limits_are_those_of_the_code(limit: str) -> None:
    assert f"| {limit}" in PAGE.read_text()
