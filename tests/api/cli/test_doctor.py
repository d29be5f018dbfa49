"""`runledger doctor`: recipes and scorers are loaded as by a worker, and the broken ones are named."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from runledger.api.cli import exits, installed
from runledger.api.cli.app import runledger
from runledger.api.cli.exits import SetupProblem

ROOT = Path(__file__).parents[3]
TOY = "tests.trainer.toy_recipe:toy"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{tmp_path}")
    monkeypatch.setenv("RUNLEDGER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("RUNLEDGER_RECIPES", f"{TOY},mine:recipe")
    monkeypatch.setenv("RUNLEDGER_SCORERS", "mine:score")
    return tmp_path / "mine.py"


def findings() -> tuple[int, dict[tuple[str, str], str]]:
    """The exit status, and the words by subject and verdict."""
    answer = CliRunner().invoke(runledger, ["doctor", "--json"])
    told = msgspec.json.decode(answer.stdout)
    return answer.exit_code, {(each["subject"], each["verdict"]): each["words"] for each in told}


def test_what_is_installed_is_told_with_its_version(package: Path) -> None:
    package.write_text(
        "from runledger import Scorer\n"
        "from tests.trainer.toy_recipe import ToySpec\n"
        "from runledger import Recipe\n"
        'recipe = Recipe(name="mine", version=3, spec=ToySpec, train=print)\n'
        'score = Scorer(name="nearness", version=2, score=lambda expected, prediction: 1.0)\n'
    )
    _, found = findings()
    assert found["recipes", "ok"] == "lm 1, mine 3, toy 1"
    assert found["scorers", "ok"] == "exact_match 1, nearness 2, numeric 1"


def test_what_is_broken_is_named_with_its_reason(package: Path) -> None:
    package.write_text("1 / 0")
    status, found = findings()
    assert status == exits.SETUP_PROBLEM
    assert found["recipes", "ok"] == "lm 1, toy 1"
    assert found["recipe", "bad"] == "mine:recipe: ZeroDivisionError: division by zero"
    assert found["scorer", "bad"] == "mine:score: ZeroDivisionError: division by zero"


def test_what_ends_the_interpreter_is_named(package: Path) -> None:
    package.write_text("import os; os._exit(9)")
    status, found = findings()
    assert status == exits.SETUP_PROBLEM
    assert "looking for them ended with status 9" in found["recipes", "bad"]
    assert "loading mine:recipe" in found["recipes", "bad"]


def test_what_never_ends_is_named(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package.write_text("import threading; threading.Event().wait()")
    monkeypatch.setattr(installed, "PATIENCE_SECONDS", 3.0)
    environ = {"PYTHONPATH": str(package.parent), "RUNLEDGER_RECIPES": "mine:recipe"}
    with pytest.raises(SetupProblem, match=r"(?s)not found after 3 s.*loading mine:recipe"):
        installed.look(environ)
