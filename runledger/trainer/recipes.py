"""Which recipes and scorers are installed: `python -P -m runledger.trainer.recipes < ASKED` prints JSON.

Found through the entry point groups `runledger.recipes` and `runledger.scorers` and the references
given. Run as a process of its own, so that no import of foreign code weighs on the worker or ends it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from typing import Any, NoReturn

import msgspec

from runledger.tracker.spec import JsonObject
from runledger.trainer import scorers, sources
from runledger.trainer.errors import NotARecipe, RecipesNotFound
from runledger.trainer.form import schema_of
from runledger.trainer.recipe import OwnScorer, Recipe
from runledger.trainer.scorers import FoundScorer
from runledger.trainer.sources import taken, told

logger = logging.getLogger(__name__)

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
    """What a fresh interpreter finds. Raises `RecipesNotFound` where it dies or hangs."""
    asked = Asked(recipes=tuple(recipes), scorers=tuple(scorers))
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-X", "faulthandler", "-m", "runledger.trainer.recipes"],
            input=msgspec.json.encode(asked),
            capture_output=True,
            timeout=DISCOVERY_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise RecipesNotFound(f"not done after {DISCOVERY_SECONDS:g} s", late.stderr or b"") from None
    if done.returncode != 0:
        raise RecipesNotFound(f"ended with status {done.returncode}", done.stderr)
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
    found = [_find(reference) for reference in _references(asked.recipes)]
    scored = [scorers.find(reference) for reference in scorers.references(asked.scorers)]
    return Installed(recipes=only_unambiguous(found), scorers=scorers.only_unambiguous(scored))


def only_unambiguous(found: Sequence[Found]) -> tuple[Found, ...]:
    """Two that bear the same name and version are of no use: nobody could say which is meant."""
    return tuple(
        each if problem is None else Found(reference=each.reference, problem=problem)
        for each, problem in zip(found, taken(found), strict=True)
    )


def _find(reference: str) -> Found:
    logger.info("loading %s", reference)
    try:
        recipe = load(reference)
        found = Found(
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
        return msgspec.json.decode(msgspec.json.encode(found), type=Found)  # a preset may hold anything
    except (Exception, SystemExit) as error:  # noqa: BLE001 — foreign code; its problem is the answer
        return Found(reference=reference, problem=told(error))


def _references(given: Iterable[str]) -> list[str]:
    installed = (entry.value for entry in entry_points(group=GROUP))
    return list(dict.fromkeys([*installed, *given]))


def main() -> NoReturn:
    """Only the answer goes to stdout, whatever foreign modules print; no thread of theirs holds us up."""
    answer = os.dup(1)
    os.dup2(2, 1)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    installed = look(msgspec.json.decode(sys.stdin.buffer.read(), type=Asked))
    with os.fdopen(answer, "wb") as stdout:
        stdout.write(msgspec.json.encode(installed))
    os._exit(0)


if __name__ == "__main__":
    main()
