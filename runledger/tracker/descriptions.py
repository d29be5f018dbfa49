"""Datasets and benchmarks that are described where one of them is to be named.

A field of a spec that names a dataset or a benchmark may hold an object of these instead. Whoever takes
the spec makes what is described and puts its digest or id in the object's place.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from runledger.tracker.events.benchmark import Direction
from runledger.tracker.ids import BenchmarkId
from runledger.tracker.spec import JsonObject

PRINTABLE = r"^[^\u0000-\u001f\u007f]+$"

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTABLE)]
DigestText: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class DatasetRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dataset to be made on the spot; the same options give the same bytes."""

    generator: Name
    options: JsonObject = {}


class BenchmarkRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A benchmark to be defined, over a dataset that is registered or to be made."""

    name: Name
    dataset: DigestText | DatasetRecipe
    scorer: Name
    scorer_version: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    direction: Direction = "maximize"
    tolerance: Annotated[float, Meta(ge=0, le=1e12)] = 0.0


def benchmark_id(recipe: BenchmarkRecipe, digest: str) -> BenchmarkId:
    """Made of the definition over the dataset's digest: the same definition is the same benchmark."""
    definition = msgspec.structs.replace(recipe, dataset=digest)
    return BenchmarkId(hashlib.sha256(msgspec.json.encode(definition)).hexdigest()[:32])
