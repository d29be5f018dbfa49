"""`runledger recipe new`: a complete package with a recipe and a scorer of one's own, and their tests."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

import click

from runledger.api.cli.exits import BadUsage
from runledger.api.cli.output import Output, with_output

SUFFIX = ".template"
PACKAGE_FOLDER = "PACKAGE"
"""Stands for the package's name in the paths of the templates."""
NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
MAX_NAME_LENGTH = 60


@click.group()
def recipe() -> None:
    """Recipes: training code of one's own."""


@recipe.command("new")
@click.argument("name")
@click.option(
    "--into", type=click.Path(path_type=Path), help="The folder to make; by default NAME, right here."
)
@with_output
def new(output: Output, name: str, into: Path | None) -> None:
    """Make a complete example package, NAME, to be changed into a recipe of one's own.

    It has a typed spec with a preset, a small training in Flax with checkpoints and an evaluation, a
    scorer, their entry points, tests and a README.
    """
    package = package_of(name)
    folder = into or Path(name)
    made = make(name, package, folder)
    output.result(
        {"name": name, "package": package, "folder": str(folder), "files": made},
        [*(str(folder / file) for file in made), *_next_steps(name, folder)],
    )


def package_of(name: str) -> str:
    """The import package of a distribution. Raises BadUsage for a name that cannot be used."""
    if not NAME.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
        raise BadUsage(f"{name!r} is no name for a package: lower-case letters, digits, and - or _ between")
    package = name.replace("-", "_")
    if keyword.iskeyword(package) or package in {*sys.stdlib_module_names, "tests", "src"}:
        raise BadUsage(f"{package!r} means something else in Python: choose another name")
    if importlib.util.find_spec(package) is not None:
        raise BadUsage(f"a package {package!r} is installed already: choose another name")
    return package


def make(name: str, package: str, folder: Path) -> list[str]:
    """Write the files and tell their names. Raises BadUsage where the folder holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadUsage(f"{folder} exists already, and is not empty")
    templates = resources.files("runledger.api.cli") / "templates" / "recipe"
    written = []
    for path, template in sorted(_files(templates, ())):
        target = "/".join(path).replace(PACKAGE_FOLDER, package).removesuffix(SUFFIX)
        text = Template(template.read_text(encoding="utf-8")).substitute(name=name, package=package)
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        (folder / target).write_text(text, encoding="utf-8")
        written.append(target)
    return written


def _files(folder: Traversable, above: tuple[str, ...]) -> list[tuple[tuple[str, ...], Traversable]]:
    """Every template below a folder, with its path."""
    found: list[tuple[tuple[str, ...], Traversable]] = []
    for entry in folder.iterdir():
        path = (*above, entry.name)
        if entry.is_dir():
            found += _files(entry, path)
        elif entry.name.endswith(SUFFIX):
            found.append((path, entry))
    return found


def _next_steps(name: str, folder: Path) -> list[str]:
    return [
        "",
        f"Install it:  pip install --no-deps --no-build-isolation -e {folder}",
        f"Test it:     python -m pytest {folder}",
        f"Try it:      runledger try {name}:small",
    ]
