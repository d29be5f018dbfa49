"""From a run of ours to what MLflow should hold of it. Pure, and the only place that knows how.

Times are ms, rounded down; points that are then the same are one. An infinity becomes
±1.7976931348623157e308, as in MLflow's database; NaN stays. A param is `str(value)`: `True`, `None`,
`1e-05`. Names, texts and digests are cut and cleaned to what MLflow takes. A score is a metric
`<benchmark>/<score>` at the checkpoint's step, of the run and of the checkpoint's logged model.
"""

from __future__ import annotations

import hashlib
import json
import math
import posixpath
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from runledger.projections.mlflow.driver import (
    CHECKPOINT_TAG,
    LOG_TAG,
    RUN_TAG,
    DatasetUse,
    Point,
    RunStatus,
)
from runledger.projections.mlflow.facts import Facts, Saved, Scored
from runledger.tracker.envelope import to_micros
from runledger.tracker.events.benchmark import BenchmarkDefined
from runledger.tracker.events.dataset import DatasetRegistered, Generated
from runledger.tracker.events.evaluation import EvaluationCompleted
from runledger.tracker.ids import Digest
from runledger.tracker.spec import JsonObject, Scalar

MAX_KEY = 250
MAX_PARAM = 6_000
MAX_TAG = 8_000
MAX_NAME = 250
MAX_DATASET_NAME = 500
DIGEST_CHARACTERS = 36

_ODD_CHARACTERS = re.compile(r"[^/\w.\- :]")
_OURS = ("mlflow.", "runledger.")


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What else the log says that a run refers to."""

    log_id: str
    public_url: str
    artifact_bytes: int
    """Larger files are only referred to."""
    benchmarks: Mapping[str, BenchmarkDefined] = {}
    datasets: Mapping[str, DatasetRegistered] = {}
    evaluations: Mapping[str, EvaluationCompleted] = {}


class ModelContent(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint as a logged model."""

    key: str
    """Names the checkpoint within its run."""
    name: str
    step: int
    tags: dict[str, str]
    params: dict[str, str]


class ScoreContent(msgspec.Struct, frozen=True, kw_only=True):
    evaluation_id: str
    points: tuple[Point, ...]
    model: str | None
    """Key of the model that was evaluated."""
    dataset: DatasetUse


class FileContent(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    digest: Digest
    kind: str
    """`blob`: the bytes; `table`: JSON lines made a table; `reference`: where the bytes are."""
    size_bytes: int | None = None


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What MLflow should hold of one run, without its points."""

    run_id: str
    experiment_id: str
    name: str
    user: str
    status: RunStatus
    start_time: int
    end_time: int | None
    parent: str | None
    """The run that it was forked from."""
    params: dict[str, str]
    tags: dict[str, str]
    datasets: tuple[DatasetUse, ...]
    models: tuple[ModelContent, ...]
    scores: tuple[ScoreContent, ...]
    files: tuple[FileContent, ...]


def content(facts: Facts, known: Known) -> Content:
    requested = facts.run.requested
    scores = tuple(_score(facts, scored, known) for scored in facts.evaluations)
    return Content(
        run_id=facts.run_id,
        experiment_id=requested.experiment_id,
        name=cut_text(facts.run.name, MAX_NAME),
        user=cut_text(requested.requested_by, MAX_NAME),
        status=run_status(facts),
        start_time=milliseconds(facts.requested_at),
        end_time=None if facts.ended_at is None else milliseconds(facts.ended_at),
        parent=None if requested.forked_from is None else requested.forked_from.run_id,
        params={clean_name(key): cut_text(str(value), MAX_PARAM) for key, value in facts.run.params.items()},
        tags=_tags(facts, known),
        datasets=_datasets(facts, known, scores),
        models=tuple(_model(saved) for saved in facts.checkpoints),
        scores=scores,
        files=tuple(_files(facts, known)),
    )


def point(key: str, step: int, time: int, value: float) -> Point:
    """A point of ours, its time in µs, as MLflow gives it back."""
    if math.isinf(value):
        value = math.copysign(sys.float_info.max, value)
    return Point(clean_name(key), step, time // 1_000, value + 0.0)  # -0.0 and 0.0 are one to MLflow


def clean_name(name: str, limit: int = MAX_KEY) -> str:
    """A name that MLflow takes; the same for the same name, another for another one."""
    clean = _ODD_CHARACTERS.sub("_", name)
    if clean == name and len(name) <= limit and _is_plain_path(name):
        return name
    readable = clean.replace("..", "__").strip("/.") or "_"
    while "//" in readable or "/./" in readable:
        readable = readable.replace("//", "/").replace("/./", "/")
    return f"{readable[: limit - 9]}_{_short_digest(name)}"


def cut_text(text: str, limit: int) -> str:
    text = text.replace("\0", "")
    return text if len(text) <= limit else f"{text[: limit - 9]}…{_short_digest(text)}"


def milliseconds(moment: datetime) -> int:
    return to_micros(moment) // 1_000


def run_status(facts: Facts) -> RunStatus:
    match facts.run.status:
        case "completed":
            return "FINISHED"
        case "failed":
            return "FAILED"
        case "cancelled":
            return "KILLED"
        case "paused":
            return "SCHEDULED"
        case "queued" if not facts.run.attempts:
            return "SCHEDULED"
        case _:
            return "RUNNING"


def first_tags(content: Content, known: Known) -> dict[str, str]:
    """The tags of `create_run`: who it is, and, once, the note with the link to us."""
    link = f"{known.public_url}/api/v1/runs/{content.run_id}"
    return {
        RUN_TAG: content.run_id,
        LOG_TAG: known.log_id,
        "mlflow.user": content.user,
        "mlflow.note.content": f"[Attempts, audit, as of: this run in Runledger]({link})",
    }


def checkpoint_key(attempt: int, step: int, digest: str) -> str:
    return f"{attempt}-{step}-{digest[:16]}"


def named_datasets(params: Mapping[str, Scalar]) -> set[Digest]:
    """Values of a spec that look like the digest of a dataset."""
    texts = {value for value in params.values() if isinstance(value, str)}
    return {Digest(text) for text in texts if re.fullmatch("[0-9a-f]{64}", text)}


def _tags(facts: Facts, known: Known) -> dict[str, str]:
    spec, environment = facts.run.spec, facts.environment
    tags = {_tag_key(key): value for key, value in facts.run.tags.items()}
    tags |= {
        "mlflow.source.name": spec.recipe,
        "mlflow.source.type": "PROJECT",
        "runledger.position": str(facts.position),
        "runledger.attempts": str(len(facts.run.attempts)),
        "runledger.status": facts.run.status,
        "runledger.recipe": f"{spec.recipe} {spec.version}",
    }
    if environment is not None:
        tags["runledger.devices"] = ", ".join(environment.devices)
    if environment is not None and environment.code_revision:
        tags["mlflow.source.git.commit"] = environment.code_revision
    if facts.failure is not None:
        failure = facts.failure
        tags["runledger.failure"] = ": ".join(
            filter(None, (failure.reason, failure.error_class, failure.message))
        )
    if facts.run.note:
        tags["runledger.note"] = facts.run.note
    if facts.run.is_hidden:
        tags["runledger.hidden"] = "true"
    tables = [{"path": table.path, "type": "table"} for table in _predictions(facts, known)]
    if tables:
        tags["mlflow.loggedArtifacts"] = json.dumps(tables[-60:])
    return {key: cut_text(value, MAX_TAG) for key, value in tags.items()}


def _tag_key(key: str) -> str:
    return clean_name(f"tag.{key}" if key.startswith(_OURS) else key)


def _datasets(facts: Facts, known: Known, scores: tuple[ScoreContent, ...]) -> tuple[DatasetUse, ...]:
    """The training data, then what was evaluated on; each once."""
    digests = named_datasets(facts.run.params)
    if facts.environment is not None and facts.environment.dataset_digest is not None:
        digests.add(facts.environment.dataset_digest)
    training = [_dataset(digest, known, "training") for digest in sorted(digests) if digest in known.datasets]
    uses = {(use.name, use.digest): use for use in [*(score.dataset for score in scores), *training]}
    return tuple(uses.values())


def _dataset(digest: Digest, known: Known, context: str) -> DatasetUse:
    registered = known.datasets[digest]
    source: JsonObject = {"url": f"{known.public_url}/api/v1/datasets/{digest}", "digest": digest}
    if isinstance(registered.source, Generated):
        source |= {"generator": registered.source.generator, "options": registered.source.options}
    profile = {"num_rows": registered.items, "size_bytes": registered.size_bytes, **registered.statistics}
    return DatasetUse(
        name=cut_text(registered.name, MAX_DATASET_NAME) or digest[:DIGEST_CHARACTERS],
        digest=digest[:DIGEST_CHARACTERS],
        source=json.dumps(source, sort_keys=True),
        profile=json.dumps(profile, sort_keys=True),
        context=context,
    )


def _model(saved: Saved) -> ModelContent:
    event = saved.event
    key = checkpoint_key(event.attempt, event.step, event.digest)
    tags = {
        CHECKPOINT_TAG: key,
        "runledger.digest": event.digest,
        "runledger.attempt": str(event.attempt),
        "runledger.size_bytes": str(event.size_bytes),
    }
    if event.loss is not None:
        tags["runledger.loss"] = str(event.loss)
    return ModelContent(
        key=key, name=f"step-{event.step}", step=event.step, tags=tags, params={"step": str(event.step)}
    )


def _score(facts: Facts, scored: Scored, known: Known) -> ScoreContent:
    event = scored.event
    benchmark = known.benchmarks[event.benchmark_id]
    evaluated = [
        saved.event
        for saved in facts.checkpoints
        if (saved.event.attempt, saved.event.step) == (event.attempt, event.step)
    ]
    points = [
        point(f"{benchmark.name}/{score.name}", event.step, to_micros(scored.at), score.value)
        for score in event.scores
    ]
    return ScoreContent(
        evaluation_id=event.evaluation_id,
        points=tuple(sorted(points, key=lambda each: each.key)),
        model=checkpoint_key(event.attempt, event.step, evaluated[-1].digest) if evaluated else None,
        dataset=_dataset(benchmark.dataset, known, "eval"),
    )


def _files(facts: Facts, known: Known) -> Iterator[FileContent]:
    for saved in facts.checkpoints:
        if not saved.is_deleted:
            event = saved.event
            path = f"checkpoints/step-{event.step}-{event.digest[:8]}.tar"
            yield _file(path, event.digest, event.size_bytes, known)
    yield from _predictions(facts, known)
    for path, artifact in facts.artifacts.items():
        yield _file(path, artifact.digest, artifact.size_bytes, known)


def _predictions(facts: Facts, known: Known) -> Iterator[FileContent]:
    for scored in facts.evaluations:
        completed = known.evaluations.get(scored.event.evaluation_id)
        if completed is not None:
            name = clean_name(known.benchmarks[scored.event.benchmark_id].name, 100).replace("/", "_")
            path = f"evaluations/{name}/step-{scored.event.step}-{scored.event.evaluation_id[:8]}.json"
            yield FileContent(path=path, digest=completed.predictions, kind="table")


def _file(path: str, digest: Digest, size_bytes: int, known: Known) -> FileContent:
    if size_bytes > known.artifact_bytes:
        return FileContent(
            path=f"{path}.reference.json", digest=digest, kind="reference", size_bytes=size_bytes
        )
    return FileContent(path=path, digest=digest, kind="blob", size_bytes=size_bytes)


def _is_plain_path(name: str) -> bool:
    """MLflow keeps some stores as files: a name must not read as another path, or one outside."""
    return posixpath.normpath(name) == name and name != "." and not name.startswith(("/", ".."))


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
