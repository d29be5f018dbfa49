"""Which recipes are found, and what their digest covers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runledger.trainer import recipes
from runledger.trainer.errors import BadReference, NotARecipe, RecipesNotFound
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


@pytest.mark.parametrize("words", ["import sys; sys.exit(3)", "raise SystemExit"])
def test_a_package_that_ends_the_interpreter_is_reported_as_any_other(package: Path, words: str) -> None:
    (package / "__init__.py").write_text(words)
    found = recipes.discover(["my_recipes:recipe", TOY], ["my_recipes:score"])
    problems = {each.reference: each.problem for each in (*found.recipes, *found.scorers) if each.problem}
    assert "SystemExit" in str(problems["my_recipes:recipe"])
    assert "SystemExit" in str(problems["my_recipes:score"])
    assert "toy" in {each.name for each in found.recipes}


def test_what_a_package_prints_and_its_threads_do_not_reach_the_answer(package: Path) -> None:
    loud = """
import os, threading
os.system("echo from below")
print("from above")
threading.Thread(target=threading.Event().wait).start()
"""
    (package / "__init__.py").write_text(loud + PACKAGE)
    assert "mine" in {each.name for each in recipes.discover(["my_recipes:recipe"]).recipes}


def test_a_package_that_kills_the_interpreter_is_named(package: Path) -> None:
    (package / "__init__.py").write_text("import os; os.abort()")
    with pytest.raises(RecipesNotFound, match=r"(?s)ended with status -6.*loading my_recipes:recipe"):
        recipes.discover(["my_recipes:recipe"])


def test_a_package_that_hangs_is_named(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package / "__init__.py").write_text("import threading; threading.Event().wait()")
    monkeypatch.setattr(recipes, "DISCOVERY_SECONDS", 3.0)
    with pytest.raises(RecipesNotFound, match=r"(?s)not done after 3 s.*loading my_recipes:recipe"):
        recipes.discover(["my_recipes:recipe"])


@pytest.mark.parametrize(
    ("old", "made", "problem"),
    [
        ('name="mine"', 'name="m:small"', "recipe 'm:small': name: Expected `str` matching regex"),
        ("version=2", 'version="2"', "recipe 'mine': version: Expected `int`, got `str`"),
        ("version=2", 'version=2, devices="cpu"', "devices: Expected `array`, got `str`"),
        (
            "version=2",
            'version=2, presets={"small": {"steps": 3}}',
            "presets['small']: Object contains unknown",
        ),
        ("version=2", 'version=2, presets={"small": 3}', "presets['small']: Expected `object`, got `int`"),
        ("version=2", 'version=2, presets={"small": {"spec": {"steps": 3j}}}', "complex"),
        ("spec=Spec", "spec=dict", "spec: not a class of msgspec.Struct but <class 'dict'>"),
        ("train=lambda spec, context: {}", "train=None", "train: cannot be called: None"),
    ],
)
def test_what_a_recipe_is_made_of_is_checked(package: Path, old: str, made: str, problem: str) -> None:
    (package / "__init__.py").write_text(PACKAGE.replace(old, made))
    found = {each.reference: each for each in recipes.discover(["my_recipes:recipe", TOY]).recipes}
    assert problem in str(found["my_recipes:recipe"].problem)
    assert found[TOY].problem is None


def test_two_recipes_of_one_name_and_version_are_both_refused(package: Path) -> None:
    (package / "part.py").write_text(PACKAGE)
    found = recipes.discover(["my_recipes:recipe", "my_recipes.part:recipe", TOY]).recipes
    problems = {each.reference: each.problem for each in found}
    assert problems["my_recipes:recipe"] == (
        "NameTaken: 'mine' version 2 is also the name of my_recipes.part:recipe"
    )
    assert "my_recipes:recipe" in str(problems["my_recipes.part:recipe"])
    assert problems[TOY] is None


def test_a_newer_version_beside_an_older_one_is_fine(package: Path) -> None:
    (package / "part.py").write_text(PACKAGE.replace("version=2", "version=3"))
    found = recipes.discover(["my_recipes:recipe", "my_recipes.part:recipe"]).recipes
    assert {each.version for each in found if each.name == "mine"} == {2, 3}


def test_a_scorer_that_is_named_like_an_included_one_is_refused_alone(package: Path) -> None:
    (package / "part.py").write_text(
        "from runledger.trainer.scoring import Scorer\n"
        'score = Scorer(name="numeric", version=1, score=lambda expected, found: 1.0)\n'
    )
    found = {each.reference: each for each in recipes.discover([], ["my_recipes.part:score"]).scorers}
    assert "is also the name of runledger.trainer.scorers:numeric" in str(
        found["my_recipes.part:score"].problem
    )
    assert found["runledger.trainer.scorers:numeric"].problem is None


@pytest.mark.parametrize("reference", ["my_recipes", ":recipe", "my_recipes:"])
def test_a_reference_without_a_module_or_an_attribute_is_refused(reference: str) -> None:
    with pytest.raises(BadReference, match="is not MODULE:ATTRIBUTE"):
        recipes.load(reference)
