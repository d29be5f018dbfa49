"""The bodies that the API reads. Unknown members are refused, and every bound is in the schema.

A field of a launch's spec that names a dataset or a benchmark may hold an object instead (`DatasetRecipe`,
`BenchmarkRecipe`): it is made and registered, and its digest or id takes the object's place.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from runledger.tracker.descriptions import PRINTABLE, DatasetRecipe, Name
from runledger.tracker.descriptions import BenchmarkRecipe as BenchmarkRecipe
from runledger.tracker.spec import DeviceRequest, JsonObject, Limits

Text: TypeAlias = Annotated[str, Meta(max_length=20_000)]
Reason: TypeAlias = Annotated[str, Meta(max_length=2_000)]
Key: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTABLE)]
Value: TypeAlias = Annotated[str, Meta(max_length=5_000)]
Tags: TypeAlias = Annotated[dict[Key, Value], Meta(max_length=100)]
Format: TypeAlias = Literal["traces", "text"]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all bodies."""


class LimitsBody(Limits, frozen=True, kw_only=True, forbid_unknown_fields=True):
    attempts: Annotated[int, Meta(ge=1, le=1_000)] = 3
    wall_seconds: Annotated[float, Meta(gt=0, le=1e9)] | None = None
    no_progress_seconds: Annotated[float, Meta(gt=0, le=1e9)] = 600.0


class DeviceBody(DeviceRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    count: Annotated[int, Meta(ge=1, le=4_096)] = 1
    memory_bytes: Annotated[int, Meta(ge=0, le=2**50)] = 0


class LaunchRequest(Body, frozen=True, kw_only=True):
    """A run to be launched: a recipe, a preset of it, and what differs from the preset."""

    experiment: Annotated[Name, Meta(description="Id or name; a name that is new is created.")]
    recipe: Name
    name: Annotated[Name | None, Meta(description="By default the recipe and the preset.")] = None
    preset: Name | None = None
    spec: Annotated[JsonObject, Meta(description="Laid over the preset, which lies over the defaults.")] = {}
    tags: Tags = {}
    priority: Annotated[int, Meta(ge=-1_000, le=1_000, description="Higher is claimed first.")] = 0
    limits: LimitsBody = LimitsBody()
    device: DeviceBody = DeviceBody()
    worker_labels: Tags = {}


class LimitsChange(Body, frozen=True, kw_only=True):
    """What is absent is as in the run that is forked."""

    attempts: Annotated[int, Meta(ge=1, le=1_000)] | UnsetType = UNSET
    wall_seconds: Annotated[float, Meta(gt=0, le=1000000000.0)] | UnsetType | None = UNSET
    no_progress_seconds: Annotated[float, Meta(gt=0, le=1e9)] | UnsetType = UNSET


class ForkRequest(Body, frozen=True, kw_only=True):
    """A new run from a checkpoint of another. What is absent is as in the run that is forked."""

    step: Annotated[int, Meta(ge=0, description="Of the checkpoint; by default the last one.")] | None = None
    spec: Annotated[JsonObject, Meta(description="Laid over the values of the run that is forked.")] = {}
    experiment: Annotated[Name | None, Meta(description="Id or name; a name that is new is created.")] = None
    name: Name | None = None
    tags: Tags | UnsetType = UNSET
    priority: Annotated[int, Meta(ge=-1_000, le=1_000)] | UnsetType = UNSET
    limits: LimitsChange = LimitsChange()
    device: DeviceBody | UnsetType = UNSET
    worker_labels: Tags | UnsetType = UNSET


class ReasonRequest(Body, frozen=True, kw_only=True):
    reason: Reason = ""


class RunPatch(Body, frozen=True, kw_only=True):
    """What is absent stays as it is."""

    name: Name | UnsetType = UNSET
    tags: Annotated[
        dict[Key, Value | None], Meta(max_length=100, description="Set, or taken away where null.")
    ] = {}
    note: Text | UnsetType = UNSET
    hidden: bool | UnsetType = UNSET


class ExperimentRequest(Body, frozen=True, kw_only=True):
    name: Name
    description: Text = ""


class ExperimentPatch(Body, frozen=True, kw_only=True):
    name: Name


class DatasetRequest(DatasetRecipe, frozen=True, kw_only=True):
    name: Name | None = None
    description: Text = ""
