"""The reference of recipes names everything a recipe may use; the how-to shows what the example holds."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from textwrap import indent

import pytest

from runledger.trainer.recipe import Context, Recipe
from runledger.trainer.scorers import INCLUDED, load
from runledger.trainer.scoring import Answer, Scorer

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/reference/recipes.md").read_text()
HOW_TO = (ROOT / "docs/how-to/write-a-recipe.md").read_text()
EXAMPLE = ROOT / "examples" / "digits"


def first_cells(title: str) -> list[str]:
    """What stands in the first column of the table of a section."""
    section = REFERENCE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def told(name: str) -> str:
    """A member of Context as the page writes it: its parameters without types and defaults."""
    member = getattr(Context, name)
    if isinstance(member, property):
        return name
    words, is_star_due = [], True
    for parameter in list(inspect.signature(member).parameters.values())[1:]:
        if parameter.kind is parameter.KEYWORD_ONLY and is_star_due:
            words.append("*")
            is_star_due = False
        words.append(f"**{parameter.name}" if parameter.kind is parameter.VAR_KEYWORD else parameter.name)
    return f"{name}({', '.join(words)})"


def test_every_member_of_the_context_stands_there_with_its_parameters() -> None:
    assert sorted(first_cells("Context")) == sorted(
        told(name) for name in vars(Context) if not name.startswith("_")
    )


@pytest.mark.parametrize(("title", "kind"), [("Recipe", Recipe), ("Scorer", Scorer)])
def test_every_field_stands_there(title: str, kind: type[Recipe[object] | Scorer]) -> None:  # type: ignore[type-var]
    assert first_cells(title) == list(kind.__struct_fields__)


def test_answers_and_included_scorers_are_named() -> None:
    assert f"`Answer({', '.join(Answer.__struct_fields__)})`" in REFERENCE
    assert all(f"`{load(reference).name}`" in REFERENCE for reference in INCLUDED)


def test_the_code_of_the_how_to_is_that_of_the_example() -> None:
    """Each block is a piece of one of its files, indented or not: what is shown is what the tests run."""
    files = [path.read_text() for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".toml")]
    blocks = re.findall(r"```(?:python|toml)\n(.*?)```", HOW_TO, re.DOTALL)
    assert len(blocks) >= 4
    foreign = [
        block for block in blocks if not any(block in file or indent(block, "    ") in file for file in files)
    ]
    assert not foreign
