"""`runledger recipe new` makes a package that passes everything a package of ours has to pass."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from runledger.api.cli import exits
from runledger.api.cli.app import runledger

ROOT = Path(__file__).parents[3]
DIGITS = ROOT / "examples" / "digits"
PATIENCE_SECONDS = 560
"""A minute on two idle cores is what the types of jax take the first time."""


def new(*words: str) -> Result:
    return CliRunner().invoke(runledger, ["recipe", "new", *words])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipes") / "sums"
    assert new("sums-net", "--into", str(folder)).exit_code == 0
    return folder


def run(package: Path, *words: str) -> str:
    """What a tool says of a package; it has to be content."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=package,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(params=["made", "digits"])
def package(request: pytest.FixtureRequest, made: Path) -> Iterator[Path]:
    """What is made, and the example that grew from it."""
    return made if request.param == "made" else DIGITS


def test_what_is_made_is_told(made: Path) -> None:
    answer = new("sums-net", "--into", str(made / "again"), "--json")
    told = msgspec.json.decode(answer.stdout)
    assert (told["name"], told["package"]) == ("sums-net", "sums_net")
    assert {"pyproject.toml", "src/sums_net/training.py", "tests/test_recipe.py"} <= set(told["files"])
    assert all((made / "again" / file).exists() for file in told["files"])


def test_nothing_of_the_templates_is_left_over(made: Path) -> None:
    for path in made.rglob("*"):
        assert "PACKAGE" not in path.name
        assert not path.name.endswith(".template")
        assert path.is_dir() or not {"$name", "$package"} & set(path.read_text().split())


def test_the_entry_points_name_what_is_there(made: Path) -> None:
    groups = tomllib.loads((made / "pyproject.toml").read_text())["project"]["entry-points"]
    assert groups["runledger.recipes"] == {"sums-net": "sums_net:recipe"}
    assert groups["runledger.scorers"] == {"closeness": "sums_net.scorers:closeness"}


def test_the_code_is_in_its_layout(package: Path) -> None:
    run(package, "ruff", "check", "--no-cache", ".")
    run(package, "ruff", "format", "--no-cache", "--check", ".")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_types_are_right(package: Path) -> None:
    """Strict, against the types of Runledger, of jax and of flax; the cache is kept, for these are large."""
    run(package, "mypy", "--cache-dir", str(ROOT / ".mypy_cache" / "recipes" / package.name))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_tests_pass(package: Path) -> None:
    run(package, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:xdist")


def test_it_is_installed_with_the_words_that_are_told(package: Path, tmp_path: Path) -> None:
    """Editable, with nothing from an index; `--target` only keeps it out of this environment."""
    told = new("sums-net", "--into", str(tmp_path / "it")).stdout
    assert f"pip install --no-deps --no-build-isolation -e {tmp_path / 'it'}" in told
    words = ["--quiet", "--disable-pip-version-check", "--no-index", "--target", str(tmp_path / "site")]
    run(package, "pip", "install", *words, "--no-deps", "--no-build-isolation", "-e", ".")
    (way,) = (tmp_path / "site").glob("*.pth")
    assert way.read_text().strip() == str(package / "src")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Sums", "is no name for a package"),
        ("sums net", "is no name for a package"),
        ("../sums", "is no name for a package"),
        ("-sums", "is no name for a package"),
        ("s" * 61, "is no name for a package"),
        ("import", "means something else in Python"),
        ("json", "means something else in Python"),
        ("runledger", "is installed already"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(
    name: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = new("--", name)
    assert answer.exit_code == exits.BAD_USAGE
    assert problem in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    answer = new("sums-net", "--into", str(tmp_path))
    assert answer.exit_code == exits.BAD_USAGE
    assert "exists already" in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_the_longest_name_keeps_to_the_layout(tmp_path: Path) -> None:
    name = "-".join(["longest"] * 8)[:60].strip("-")
    assert new(name, "--into", str(tmp_path / "it")).exit_code == 0
    run(tmp_path / "it", "ruff", "check", "--no-cache", ".")
    assert importlib.util.find_spec(name.replace("-", "_")) is None
