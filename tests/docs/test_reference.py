"""The reference names everything there is: events, fields, errors."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from runledger.tracker.events import CATALOGUE

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("tag", sorted(CATALOGUE))
def test_every_event_and_each_of_its_fields_is_in_the_reference(tag: str) -> None:
    rows = [line for line in (DOCS / "reference/events.md").read_text().splitlines() if f"`{tag}`" in line]
    assert len(rows) == 1
    missing = [field for field in CATALOGUE[tag].__struct_fields__ if f"`{field}`" not in rows[0]]
    assert not missing


def build_reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_reference", DOCS / "build_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_read_off_the_code_are_up_to_date() -> None:
    module = build_reference()
    outdated = [
        name for name, build in module.GENERATED.items() if (DOCS / "reference" / name).read_text() != build()
    ]
    assert not outdated, "run `python docs/build_reference.py`"


def test_every_setting_says_what_it_means() -> None:
    module = build_reference()
    silent = [
        f"{kind.__name__}.{field}"
        for _, kind in module.SETTINGS
        for field in kind.__struct_fields__
        if field not in module.field_docstrings(kind)
    ]
    assert not silent
