"""A recipe with its data in a folder, to be trained in this process as often as its tests need it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Generic

from runledger.tracker import schemas
from runledger.tracker.resolving import resolve
from runledger.tracker.spec import JsonObject
from runledger.trainer.form import schema_of
from runledger.trainer.plain import final_metrics
from runledger.trainer.recipe import Recipe, Spec
from runledger.trainer.scorers import FoundScorer, exact_match, numeric
from runledger.trainer.scoring import Scorer
from runledger.trainer.standalone import StandaloneContext
from runledger.trainer.trying.errors import RehearsalRefused
from runledger.trainer.trying.material import Material


class Rehearsal(Generic[Spec]):
    """The spec completed as a launch does it, and what it describes made in `folder`.

    Raises `BadInput` with the place of what does not fit, and `RehearsalRefused` for no such preset.
    """

    def __init__(
        self,
        recipe: Recipe[Spec],
        folder: Path,
        *,
        preset: str | None = None,
        spec: JsonObject | None = None,
        scorers: Sequence[Scorer] = (),
    ) -> None:
        self._recipe = recipe
        self._folder = folder
        self._scorers = tuple(scorers)
        self._numbers = count(1)
        known = [
            FoundScorer(reference="", name=scorer.name, version=scorer.version)
            for scorer in (exact_match, numeric, *scorers)
        ]
        self._material = Material(folder, known, recipe.own_scorers)
        values = resolve(schema_of(recipe.spec), self._preset(preset), spec or {}, self._material)
        self.spec: Spec = schemas.convert(values, recipe.spec, "$.spec")

    def train(
        self, *, stop_after: int | None = None, checkpoint_folder: Path | None = None
    ) -> StandaloneContext:
        """One attempt: the context, with all that it was told and the metrics that came back.

        `stop_after` asks for a stop once a point of that step was logged; `checkpoint_folder`, of another
        attempt's `checkpoints`, is gone on from. Raises what the recipe raises.
        """
        number = next(self._numbers)
        context = StandaloneContext(
            self._folder / str(number),
            datasets={path.stem: path for path in self._material.folder.glob("*.jsonl")},
            benchmarks=[each.as_benchmark() for each in self._material.benchmarks.values()],
            scorers=self._scorers,
            checkpoint_folder=checkpoint_folder,
            attempt=number,
            stop_after=stop_after,
        )
        context.metrics = final_metrics(self._recipe.train(self.spec, context))
        context.check_all_saved()
        return context

    def _preset(self, name: str | None) -> JsonObject:
        if name is None:
            return {}
        if name not in self._recipe.presets:
            raise RehearsalRefused(f"recipe {self._recipe.name!r} has no preset {name!r}")
        preset: JsonObject = self._recipe.presets[name].get("spec", {})
        return preset
