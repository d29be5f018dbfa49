"""Which recipes are installed here: `python -P -m trainer.recipes [module:attribute …]` prints them as JSON.

Found through the entry point group `runledger.recipes` and the references given. Run as a process of
its own, so that no import of a recipe's module weighs on the worker or ends it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec

from tracker.spec import JsonObject
from trainer.errors import NotARecipe, RecipesNotFound
from trainer.recipe import Recipe

GROUP = "runledger.recipes"
DISCOVERY_SECONDS = 120.0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe that is installed, or why what was referred to is none."""

    reference: str
    name: str = ""
    version: int = 0
    digest: str = ""
    schema: JsonObject = {}
    presets: dict[str, JsonObject] = {}
    devices: tuple[str, ...] = ()
    description: str = ""
    problem: str | None = None


def discover(references: Sequence[str]) -> list[Found]:
    """What a fresh interpreter finds."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "trainer.recipes", *references],
        capture_output=True,
        timeout=DISCOVERY_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RecipesNotFound(done.stderr.decode(errors="replace").strip()[-2000:])
    return msgspec.json.decode(done.stdout, type=list[Found])


def load(reference: str) -> Recipe[Any]:
    """The recipe at `module:attribute`."""
    module, _, attribute = reference.partition(":")
    found = importlib.import_module(module)
    for name in attribute.split("."):
        found = getattr(found, name)
    if not isinstance(found, Recipe):
        raise NotARecipe(reference, f"a {type(found).__name__} is no recipe")
    return found


def digest_of(recipe: Recipe[Any], reference: str) -> str:
    """SHA-256 over the names and bytes of the files that make up the recipe."""
    digest = hashlib.sha256(f"{recipe.name}\0{recipe.version}".encode())
    for module in recipe.sources or (reference.partition(":")[0],):
        for name, content in _sources(module):
            digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _sources(module: str) -> Iterator[tuple[str, bytes]]:
    """A module's file, or all of a package's."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise NotARecipe(module, "no source")
    origin = Path(spec.origin)
    files = sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
    for file in files:
        yield f"{module}/{file.relative_to(origin.parent).as_posix()}", file.read_bytes()


def _find(reference: str) -> Found:
    try:
        recipe = load(reference)
        return Found(
            reference=reference,
            name=recipe.name,
            version=recipe.version,
            digest=digest_of(recipe, reference),
            schema=msgspec.json.schema(recipe.spec),
            presets=dict(recipe.presets),
            devices=recipe.devices,
            description=recipe.description,
        )
    except Exception as error:  # noqa: BLE001 — foreign code; its problem is the answer
        return Found(reference=reference, problem=f"{type(error).__name__}: {error}")


def _references(given: Iterable[str]) -> list[str]:
    installed = (entry.value for entry in entry_points(group=GROUP))
    return list(dict.fromkeys([*installed, *given]))


if __name__ == "__main__":
    answer = msgspec.json.encode([_find(reference) for reference in _references(sys.argv[1:])])
    sys.stdout.buffer.write(answer)
