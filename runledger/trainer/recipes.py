"""Which recipes and scorers are installed: `python -P -m runledger.trainer.recipes < ASKED` prints JSON.

Found through the entry point groups `runledger.recipes` and `runledger.scorers` and the references
given. Run as a process of its own, so that no import of foreign code weighs on the worker or ends it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from importlib.metadata import entry_points
from typing import Any

import msgspec

from runledger.tracker.spec import JsonObject
from runledger.trainer import scorers, sources
from runledger.trainer.errors import NotARecipe, RecipesNotFound
from runledger.trainer.form import schema_of
from runledger.trainer.recipe import OwnScorer, Recipe
from runledger.trainer.scorers import FoundScorer

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
    own_scorers: tuple[OwnScorer, ...] = ()
    problem: str | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """References in addition to the entry points."""

    recipes: tuple[str, ...] = ()
    scorers: tuple[str, ...] = ()


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    recipes: tuple[Found, ...]
    scorers: tuple[FoundScorer, ...]


def discover(recipes: Sequence[str], scorers: Sequence[str] = ()) -> Installed:
    """What a fresh interpreter finds."""
    asked = Asked(recipes=tuple(recipes), scorers=tuple(scorers))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "runledger.trainer.recipes"],
        input=msgspec.json.encode(asked),
        capture_output=True,
        timeout=DISCOVERY_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RecipesNotFound(done.stderr.decode(errors="replace").strip()[-2000:])
    return msgspec.json.decode(done.stdout, type=Installed)


def load(reference: str) -> Recipe[Any]:
    """The recipe at `module:attribute`."""
    found = sources.load(reference)
    if not isinstance(found, Recipe):
        raise NotARecipe(reference, f"a {type(found).__name__} is no recipe")
    return found


def digest_of(recipe: Recipe[Any], reference: str) -> str:
    """SHA-256 over the names and bytes of the files that make up the recipe."""
    return sources.digest_of(recipe.name, recipe.version, recipe.sources or (reference.partition(":")[0],))


def look(asked: Asked) -> Installed:
    """What this interpreter finds; imports all of it."""
    return Installed(
        recipes=tuple(_find(reference) for reference in _references(asked.recipes)),
        scorers=tuple(scorers.find(reference) for reference in scorers.references(asked.scorers)),
    )


def _find(reference: str) -> Found:
    try:
        recipe = load(reference)
        return Found(
            reference=reference,
            name=recipe.name,
            version=recipe.version,
            digest=digest_of(recipe, reference),
            schema=schema_of(recipe.spec),
            presets=dict(recipe.presets),
            devices=recipe.devices,
            description=recipe.description,
            own_scorers=recipe.own_scorers,
        )
    except Exception as error:  # noqa: BLE001 — foreign code; its problem is the answer
        return Found(reference=reference, problem=f"{type(error).__name__}: {error}")


def _references(given: Iterable[str]) -> list[str]:
    installed = (entry.value for entry in entry_points(group=GROUP))
    return list(dict.fromkeys([*installed, *given]))


if __name__ == "__main__":
    with redirect_stdout(sys.stderr):  # what foreign modules print is no part of the answer
        installed = look(msgspec.json.decode(sys.stdin.buffer.read(), type=Asked))
    sys.stdout.buffer.write(msgspec.json.encode(installed))
