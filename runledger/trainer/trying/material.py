"""The datasets and benchmarks of a rehearsal, made in its folder: `datasets/<digest>.jsonl`.

What a launch may describe is made here with the same bytes and the same names. Beside generators, a
dataset may be a file: `{"file": "heldout.jsonl"}`. Nothing is registered, so nothing is known by digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from runledger.tracker import datasets, generators, schemas
from runledger.tracker.datasets import Item
from runledger.tracker.descriptions import BenchmarkRecipe, DatasetRecipe, benchmark_id
from runledger.tracker.errors import BadInput
from runledger.tracker.schemas import ReferenceKind
from runledger.trainer.attempt.job import BenchmarkFile
from runledger.trainer.recipe import OwnScorer
from runledger.trainer.scorers import FoundScorer


class DatasetOfFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Items that somebody has in a file, as they would be uploaded."""

    file: str


class Material:
    """Makes what a spec describes; `benchmarks` are those that were made."""

    def __init__(
        self, folder: Path, scorers: Sequence[FoundScorer], own_scorers: Sequence[OwnScorer]
    ) -> None:
        self.folder = folder / "datasets"
        self.benchmarks: dict[str, BenchmarkFile] = {}
        self._scorers = {(each.name, each.version): each.reference for each in scorers} | {
            (each.name, each.version): "" for each in own_scorers
        }

    def __call__(self, place: str, kind: ReferenceKind, value: Any) -> str:
        """The digest or id of what is described. Raises `BadInput` with the place."""
        if isinstance(value, str):
            described = 'describe it: {"file": PATH} or {"generator": NAME}'
            raise BadInput(place, f"a rehearsal knows no registered {kind}s; {described}")
        return self._dataset(place, value) if kind == "dataset" else self._benchmark(place, value)

    def _dataset(self, place: str, value: Any) -> str:
        if isinstance(value, dict) and "file" in value:
            return self._keep(place, _items_of(place, schemas.convert(value, DatasetOfFile, place).file))
        recipe = schemas.convert(value, DatasetRecipe, place)
        try:
            options = generators.complete_options(recipe.generator, recipe.options)
            return self._keep(place, generators.generate(recipe.generator, options))
        except BadInput as error:
            raise BadInput(place + error.place.removeprefix("$"), error.problem) from None

    def _benchmark(self, place: str, value: Any) -> str:
        if not isinstance(value, dict) or not isinstance(value.get("dataset"), dict):
            raise BadInput(place, "a benchmark is an object whose dataset is described")
        digest = self._dataset(f"{place}.dataset", value["dataset"])
        recipe = schemas.convert({**value, "dataset": digest}, BenchmarkRecipe, place)
        found = BenchmarkFile(
            benchmark_id=benchmark_id(recipe, digest),
            dataset=digest,
            path=str(self.folder / f"{digest}.jsonl"),
            scorer=recipe.scorer,
            scorer_version=recipe.scorer_version,
            scorer_reference=self._reference(place, recipe),
        )
        self.benchmarks[found.benchmark_id] = found
        return found.benchmark_id

    def _reference(self, place: str, recipe: BenchmarkRecipe) -> str:
        named = (recipe.scorer, recipe.scorer_version)
        if named not in self._scorers:
            known = ", ".join(sorted(f"{name} {version}" for name, version in self._scorers))
            raise BadInput(
                f"{place}.scorer", f"no scorer {named[0]!r} {named[1]} is installed; installed: {known}"
            )
        return self._scorers[named]

    def _keep(self, place: str, items: Iterable[Item]) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        written = self.folder / "making"
        try:
            with written.open("wb") as file:
                contents = datasets.write(items, file)
        except BadInput as error:
            written.unlink()
            raise BadInput(place, f"{error.place}: {error.problem}") from None
        written.rename(self.folder / f"{contents.digest}.jsonl")
        return contents.digest


def _items_of(place: str, file: str) -> Iterable[Item]:
    """The items of a file, of whichever format its first line is."""
    try:
        lines = Path(file).read_bytes().splitlines()
    except OSError as error:
        raise BadInput(place, f"{file}: {(error.strerror or str(error)).lower()}") from None
    return datasets.read(datasets.format_of(lines[0] if lines else b""), lines)
