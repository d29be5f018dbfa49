"""The reference names everything there is: events, fields, errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker.events import CATALOGUE

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("tag", sorted(CATALOGUE))
def test_every_event_and_each_of_its_fields_is_in_the_reference(tag: str) -> None:
    rows = [line for line in (DOCS / "reference/events.md").read_text().splitlines() if f"`{tag}`" in line]
    assert len(rows) == 1
    missing = [field for field in CATALOGUE[tag].__struct_fields__ if f"`{field}`" not in rows[0]]
    assert not missing
