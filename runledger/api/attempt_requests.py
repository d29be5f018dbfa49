"""The bodies of runs that are executed elsewhere: how one is asked for, started, told and ended.

`occurred_at` is when it happened by the clock of whoever tells it, for what is told later than that. What
people choose is bounded as the log bounds it and no tighter: a program that is told later cannot ask them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from runledger.api.answers import Number
from runledger.api.requests import Body, Text
from runledger.tracker.aggregates.texts import (
    MAX_KEY_CHARS,
    MAX_NAME_CHARS,
    MAX_PARAM_CHARS,
    MAX_PARAMS,
    MAX_TAG_CHARS,
    MAX_TAGS,
)
from runledger.tracker.descriptions import DigestText, Name

LARGEST = 2**62
LARGEST_SIZE = 2**40
NO_NUL = r"^[^\u0000]+$"
"""PostgreSQL keeps any other character."""

Moment: TypeAlias = Annotated[datetime, Meta(tz=True, description="RFC 3339, with a zone, from 1970 on.")]
RunIdText: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
Label: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARS, pattern=NO_NUL)]
Path: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARS, pattern=NO_NUL)]
Value: TypeAlias = bool | int | float | Annotated[str, Meta(max_length=MAX_PARAM_CHARS)] | None
Params: TypeAlias = Annotated[dict[Path, Value], Meta(max_length=MAX_PARAMS)]
Tags: TypeAlias = Annotated[
    dict[Label, Annotated[str, Meta(max_length=MAX_TAG_CHARS)]], Meta(max_length=MAX_TAGS)
]
Size: TypeAlias = Annotated[int, Meta(ge=0, le=LARGEST_SIZE)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=LARGEST)]
Short: TypeAlias = Annotated[str, Meta(max_length=500)]
Texts: TypeAlias = Annotated[dict[Name, Text], Meta(max_length=1_000)]

Outcome: TypeAlias = Literal["completed", "failed", "cancelled", "stopped", "preempted", "lost"]


class Told(Body, frozen=True, kw_only=True):
    """What may be told later than it happened."""

    occurred_at: Moment | None = None


class ExternalRunRequest(Told, frozen=True, kw_only=True):
    """A run that is executed elsewhere. The same request again gives the same answer."""

    run_id: Annotated[
        RunIdText | None, Meta(description="Chosen by the caller, so that a repetition asks for one run.")
    ] = None
    experiment: Annotated[Label, Meta(description="Id or name; a name that is new is created.")]
    name: Annotated[Label | None, Meta(description="By default made of the run's id.")] = None
    params: Params = {}
    tags: Tags = {}


class ResumedFrom(Body, frozen=True, kw_only=True):
    """A checkpoint that an attempt went on from before it could ask."""

    step: Count
    digest: DigestText


class MeantRun(Body, frozen=True, kw_only=True):
    """What an executor that knows no more of a run than its id takes it to be."""

    experiment: Label
    params: Params = {}


class AttemptRequest(Told, frozen=True, kw_only=True):
    """A process that executes the run, or goes on with it."""

    worker: Annotated[Name, Meta(description="Names this one process: asked again, its attempt is the same.")]
    lease_seconds: Annotated[
        float, Meta(ge=1, le=3_600, description="How long it may stay silent before it counts as lost.")
    ] = 30.0
    resume: Annotated[bool, Meta(description="From the last checkpoint, not from nothing.")] = True
    resumed_from: Annotated[
        ResumedFrom | None,
        Meta(description="What it went on from already. 409 where the run did not come to that."),
    ] = None
    meant: Annotated[
        MeantRun | None, Meta(description="409 where the run belongs elsewhere, or a param differs.")
    ] = None


class HeartbeatRequest(Body, frozen=True, kw_only=True):
    """How far it is, for those who watch."""

    phase: Name | None = None
    done: Count | None = None
    total: Count | None = None


class ParamsRequest(Told, frozen=True, kw_only=True):
    """Params known only after the start; one once recorded never changes."""

    params: Params


class EnvironmentRequest(Told, frozen=True, kw_only=True):
    """What the attempt runs on."""

    versions: Texts
    devices: Annotated[tuple[Short, ...], Meta(max_length=10_000)]
    flags: Texts = {}
    seed: int | None = None
    code_revision: Short | None = None
    code_diff_digest: Annotated[DigestText | None, Meta(description="Of a blob that is there.")] = None
    lock_digest: DigestText | None = None
    dataset_digest: DigestText | None = None


class CoversBody(Body, frozen=True, kw_only=True):
    """What a state includes of the attempt's telemetry: all below `version`, and there `offset` points."""

    version: Count
    offset: Count


class ScoreBody(Body, frozen=True, kw_only=True):
    """A score with its 95 % interval over `count` scored items."""

    name: Name
    value: Number
    low: Number | None = None
    high: Number | None = None
    count: Count
    unscored: Count = 0
    method: Annotated[Short, Meta(description="How the interval was found.")] | UnsetType = UNSET


class EvaluationBody(Body, frozen=True, kw_only=True):
    """What the state that is saved came to on a benchmark that exists."""

    benchmark_id: Name
    scores: Annotated[tuple[ScoreBody, ...], Meta(max_length=1_000)]
    predictions: Annotated[DigestText, Meta(description="Of a blob that is there.")]
    items: Count


class CheckpointRequest(Told, frozen=True, kw_only=True):
    """A saved state. Its bytes are there, and so is the telemetry that it covers."""

    step: Count
    digest: DigestText
    size_bytes: Size
    loss: Number | None = None
    covers: CoversBody
    evaluations: Annotated[tuple[EvaluationBody, ...], Meta(max_length=100)] = ()


class ArtifactRequest(Told, frozen=True, kw_only=True):
    """A file under a relative name. Its bytes are there."""

    path: Annotated[Path, Meta(description="Relative, with forward slashes.")]
    digest: DigestText
    size_bytes: Size
    media_type: Name = "application/octet-stream"


class EndRequest(Told, frozen=True, kw_only=True):
    """How the attempt ended.

    `stopped`: as it was asked to, by a cancellation or a pause. `cancelled`: by whoever executes it.
    `preempted`: the machine was taken away. `lost`: it was killed, and others tell it.
    """

    outcome: Outcome
    step: Count | None = None
    metrics: Annotated[dict[Label, Number], Meta(max_length=10_000, description="Of a completed run.")] = {}
    reason: Annotated[
        Literal["error", "diverged", "out-of-memory", "timed-out", "no-progress"],
        Meta(description="Of a failure."),
    ] = "error"
    error_class: Short = ""
    message: Text = ""
    last_lines: Annotated[tuple[Text, ...], Meta(max_length=1_000)] = ()
    signal: Annotated[Name, Meta(description="Of a preemption.")] = "SIGTERM"
    replaced: Annotated[
        bool, Meta(description="Of a lost attempt: its executor is back and begins the next.")
    ] = False
