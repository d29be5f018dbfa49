"""Which recipes are found, and what their digest covers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runledger.trainer import recipes
from runledger.trainer.errors import NotARecipe
from tests.trainer.world import ROOT, TOY

PACKAGE = """
import msgspec
from runledger.trainer.recipe import Recipe

class Spec(msgspec.Struct, forbid_unknown_fields=True):
    steps: int = 1

recipe = Recipe(name="mine", version=2, spec=Spec, train=lambda spec, context: {}, description="Mine.")
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "my_recipes"
    folder.mkdir()
    (folder / "__init__.py").write_text(PACKAGE)
    (folder / "part.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    monkeypatch.delitem(sys.modules, "my_recipes", raising=False)
    return folder


def test_a_recipe_is_found_by_reference(package: Path) -> None:
    found = {each.name: each for each in recipes.discover(["my_recipes:recipe"]).recipes}
    mine = found["mine"]
    assert (mine.version, mine.reference, mine.problem) == (2, "my_recipes:recipe", None)
    assert mine.schema["$defs"]["Spec"]["additionalProperties"] is False


def test_the_recipes_of_the_entry_points_are_found() -> None:
    assert "lm" in {each.name for each in recipes.discover([]).recipes}


def test_a_broken_recipe_is_reported_and_the_others_are_there(package: Path) -> None:
    (package / "__init__.py").write_text("1 / 0")
    found = recipes.discover(["my_recipes:recipe", TOY, "absent:recipe"]).recipes
    problems = {each.reference: each.problem for each in found if each.problem}
    assert "ZeroDivisionError" in problems["my_recipes:recipe"]
    assert "ModuleNotFoundError" in problems["absent:recipe"]
    assert "toy" in {each.name for each in found}


def test_the_digest_covers_every_file_of_the_package(package: Path) -> None:
    before = recipes.digest_of(recipes.load("my_recipes:recipe"), "my_recipes:recipe")
    assert before == recipes.digest_of(recipes.load("my_recipes:recipe"), "my_recipes:recipe")
    (package / "part.py").write_text("x = 2\n")
    assert before != recipes.digest_of(recipes.load("my_recipes:recipe"), "my_recipes:recipe")


def test_what_is_no_recipe_is_refused() -> None:
    with pytest.raises(NotARecipe, match="StructMeta"):
        recipes.load("tests.trainer.toy_recipe:ToySpec")
