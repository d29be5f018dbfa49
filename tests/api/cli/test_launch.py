from __future__ import annotations

from pathlib import Path

import pytest

from runledger.api.cli.exits import BadUsage
from runledger.api.cli.launch import pairs, read_spec


def test_single_settings_are_laid_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text('{"seed": 1, "model": {"layers": 2, "width": 64}}')

    spec = read_spec(str(file), ["model.width=128", "optimizer.schedule=linear", "flag=true"])

    assert spec == {
        "seed": 1,
        "model": {"layers": 2, "width": 128},
        "optimizer": {"schedule": "linear"},
        "flag": True,
    }


def test_no_settings_at_all_leave_the_spec_to_the_preset() -> None:
    assert read_spec(None, []) is None


@pytest.mark.parametrize("content", ["[1]", "{", ""])
def test_a_file_that_is_no_json_object_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "spec.json"
    file.write_text(content)

    with pytest.raises(BadUsage, match=f"{file} is not a JSON object"):
        read_spec(str(file), [])


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(BadUsage, match="/nowhere: no such file"):
        read_spec("/nowhere", [])


def test_a_value_cannot_be_an_object_too() -> None:
    with pytest.raises(BadUsage, match=r"seed\.x: seed is a value"):
        read_spec(None, ["seed=1", "seed.x=2"])


@pytest.mark.parametrize("item", ["", "=1", "seed"])
def test_what_is_no_pair_is_named(item: str) -> None:
    with pytest.raises(BadUsage, match="is not KEY=VALUE"):
        pairs([item])


def test_a_value_may_hold_an_equals_sign() -> None:
    assert pairs(["a=b=c"]) == {"a": "b=c"}
