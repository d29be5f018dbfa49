"""The front name: what it offers, and what it costs to import."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import runledger

HEAVY = (
    "httpx",
    "litestar",
    "sqlalchemy",
    "jax",
    "numpy",
    "fsspec",
    "rich",
    "click",
    "transformers",
    "mlflow",
)


def loaded(tmp_path: Path, script: str) -> str:
    """What a fresh interpreter prints whose script ends by naming the heavy libraries it has loaded."""
    tell = f"import sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-P", "-c", f"{script}\n{tell}"],
        cwd=tmp_path,
        env={**os.environ, "RUNLEDGER_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.strip()


def test_importing_it_loads_no_heavy_library(tmp_path: Path) -> None:
    assert loaded(tmp_path, "import runledger") == "[]"


def test_a_whole_run_loads_no_heavy_library(tmp_path: Path) -> None:
    script = """
import runledger
with runledger.run("light", params={"rate": 0.1}) as run:
    run.log({"loss": 0.5}, step=1)
    run.checkpoint(__import__("pathlib").Path(run._begun.folder.file), step=1)
    assert not run.should_stop()
"""
    assert loaded(tmp_path, script) == "[]"


@pytest.mark.parametrize("name", sorted(runledger.__all__))
def test_every_name_it_lists_is_there(name: str) -> None:
    assert name in dir(runledger)
    assert getattr(runledger, name) is getattr(import_module(runledger._HOME_OF[name]), name)


def test_it_lists_every_name_that_type_checkers_see() -> None:
    assert set(runledger.__all__) == set(runledger._HOME_OF)


def test_another_name_is_missing_as_in_every_module() -> None:
    with pytest.raises(AttributeError, match="'runledger' has no attribute 'runs'"):
        runledger.runs  # type: ignore[attr-defined]  # noqa: B018


def test_modules_of_ones_own_may_have_the_names_of_its_packages(tmp_path: Path) -> None:
    for name in ("api", "migrations", "projections", "tracker", "trainer"):
        (tmp_path / f"{name}.py").write_text("")
    (tmp_path / "train.py").write_text("import api, trainer, runledger; runledger.run; runledger.Recipe")
    subprocess.run([sys.executable, "train.py"], cwd=tmp_path, check=True)
