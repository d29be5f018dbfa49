"""What is tried: asked for in words, settled into a folder, and found there again by `--resume`.

FOLDER/rehearsal.json, FOLDER/datasets/, and for each attempt FOLDER/<n>/ with checkpoints/<step>/,
artifacts/ and metrics.jsonl.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from runledger.tracker import schemas
from runledger.tracker.resolving import resolve
from runledger.tracker.spec import JsonObject
from runledger.trainer import recipes, scorers
from runledger.trainer.attempt.job import BenchmarkFile
from runledger.trainer.recipes import Asked, Found, Installed, look
from runledger.trainer.scoring import Scorer
from runledger.trainer.trying.errors import RehearsalRefused
from runledger.trainer.trying.material import Material


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the command was given: a recipe, or the folder of a rehearsal to go on with."""

    recipe: str = ""
    preset: str | None = None
    spec: JsonObject = {}
    folder: str
    is_resumed: bool = False
    as_json: bool = False


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is settled, as it lies in `rehearsal.json`."""

    recipe: str
    version: int
    reference: str
    digest: str
    values: JsonObject
    benchmarks: tuple[BenchmarkFile, ...] = ()

    def scorers(self) -> list[Scorer]:
        """Those of its benchmarks that are not the recipe's own."""
        found = {each.scorer_reference for each in self.benchmarks if each.scorer_reference}
        return [scorers.load(reference) for reference in sorted(found)]


def begin(request: Request, installed: Installed) -> Settled:
    """Settle what is asked for and write it down, or leave nothing. Raises `BadInput`, `RehearsalRefused`."""
    folder = Path(request.folder)
    if (folder / "rehearsal.json").exists():
        raise RehearsalRefused(f"{folder} holds a rehearsal already: --resume {folder} goes on with it")
    if folder.exists() and any(folder.iterdir()):
        raise RehearsalRefused(f"{folder} is not empty: --into takes a new folder")
    try:
        return _settle(request, installed, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _settle(request: Request, installed: Installed, folder: Path) -> Settled:
    found = find_recipe(installed, request.recipe)
    usable = [each for each in installed.scorers if each.problem is None]
    material = Material(folder, usable, found.own_scorers)
    values = resolve(found.schema, _preset(found, request.preset), request.spec, material)
    schemas.convert(values, recipes.load(found.reference).spec, "$.spec")
    settled = Settled(
        recipe=found.name,
        version=found.version,
        reference=found.reference,
        digest=found.digest,
        values=values,
        benchmarks=tuple(material.benchmarks.values()),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rehearsal.json").write_bytes(msgspec.json.encode(settled))
    return settled


def go_on(request: Request) -> Settled:
    """The rehearsal of a folder. Raises `RehearsalRefused`."""
    try:
        return msgspec.json.decode((Path(request.folder) / "rehearsal.json").read_bytes(), type=Settled)
    except (OSError, msgspec.MsgspecError) as error:
        raise RehearsalRefused(f"{request.folder} holds no rehearsal: {error}") from None


def installed_here(recipes: tuple[str, ...], scorer_references: tuple[str, ...]) -> Installed:
    return look(Asked(recipes=recipes, scorers=scorer_references))


def find_recipe(installed: Installed, name: str) -> Found:
    """The newest version of that name. Raises `RehearsalRefused`, also for one that cannot be loaded."""
    usable = [found for found in installed.recipes if found.problem is None]
    named = [found for found in usable if found.name == name]
    if named:
        return max(named, key=lambda found: found.version)
    known = ", ".join(sorted({found.name for found in usable})) or "none"
    broken = "".join(f"\n{each.reference}: {each.problem}" for each in installed.recipes if each.problem)
    raise RehearsalRefused(f"no recipe {name!r} is installed; installed: {known}{broken}")


def _preset(found: Found, name: str | None) -> JsonObject:
    if name is None:
        return {}
    if name not in found.presets:
        known = ", ".join(sorted(found.presets)) or "none"
        raise RehearsalRefused(f"recipe {found.name!r} has no preset {name!r}; its presets: {known}")
    preset: JsonObject = found.presets[name].get("spec", {})
    return preset


def attempts(folder: Path) -> list[Path]:
    """The folders of the attempts, in order."""
    found = [path for path in folder.iterdir() if path.is_dir() and path.name.isdecimal()]
    return sorted(found, key=lambda path: int(path.name))


def last_checkpoint(folder: Path) -> Path | None:
    """Of the last attempt that saved one, that of the furthest step."""
    for attempt in reversed(attempts(folder)):
        saved = [path for path in (attempt / "checkpoints").glob("*") if path.name.isdecimal()]
        if saved:
            return max(saved, key=lambda path: int(path.name))
    return None
