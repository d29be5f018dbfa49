"""An MLflow server in a dictionary: the second driver, for tests and for trying the sink without a server.

It refuses what a stock server refuses (limits of a call, changed params, doubled names, runs in the
trash) and keeps what that keeps: identical points once, the last status, models of trashed runs.
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from runledger.projections.mlflow.driver import (
    EXPERIMENT_TAG,
    LOG_TAG,
    MAX_PARAMS,
    MAX_POINTS,
    MAX_TAGS,
    RUN_TAG,
    DatasetUse,
    Experiment,
    Held,
    Mirror,
    Model,
    Origin,
    Point,
    RunStatus,
)
from runledger.projections.mlflow.errors import MirrorGone, MlflowRefused, NameTaken

MAX_DIGEST = 36
MAX_KEY = 250
MAX_PARAM = 6_000
MAX_TAG = 8_000


class HeldModel(msgspec.Struct, kw_only=True):
    id: str
    run: str
    name: str
    tags: dict[str, str]
    is_ready: bool = False
    scores: list[tuple[Point, str, str]] = []


class HeldRun(msgspec.Struct, kw_only=True):
    id: str
    experiment: str
    name: str
    start_time: int
    tags: dict[str, str]
    status: str = "RUNNING"
    end_time: int | None = None
    is_active: bool = True
    params: dict[str, str] = {}
    points: dict[Hashable, Point] = {}
    datasets: dict[tuple[str, str], DatasetUse] = {}
    outputs: dict[str, int] = {}
    files: dict[str, bytes] = {}


class MemoryMlflow:
    """Implements `MlflowDriver`."""

    def __init__(self) -> None:
        self.experiments: dict[str, Experiment] = {}
        self.runs: dict[str, HeldRun] = {}
        self.models: dict[str, HeldModel] = {}
        self._numbers = itertools.count(1)

    def ping(self) -> None:
        return None

    def find_experiment(self, experiment_id: str) -> Experiment | None:
        found = [e for e in self.experiments.values() if e.tags.get(EXPERIMENT_TAG) == experiment_id]
        return min(found, key=lambda experiment: not experiment.is_active, default=None)

    def named_experiment(self, name: str) -> Experiment | None:
        return next((e for e in self.experiments.values() if e.name == name), None)

    def create_experiment(self, name: str, tags: Mapping[str, str]) -> str:
        self._check_name_is_free(name)
        new = Experiment(id=str(len(self.experiments) + 1), name=name, tags=dict(tags), is_active=True)
        self.experiments[new.id] = new
        return new.id

    def rename_experiment(self, experiment: str, name: str) -> None:
        found = self._active_experiment(experiment)
        if found.name != name:
            self._check_name_is_free(name)
            self.experiments[experiment] = msgspec.structs.replace(found, name=name)

    def tag_experiment(self, experiment: str, tags: Mapping[str, str]) -> None:
        self._active_experiment(experiment).tags.update(tags)

    def restore_experiment(self, experiment: str) -> None:
        found = self.experiments[experiment]
        self.experiments[experiment] = msgspec.structs.replace(found, is_active=True)

    def mirrors(self) -> Iterator[Mirror]:
        for run in self.runs.values():
            if run.is_active and RUN_TAG in run.tags:
                yield Mirror(
                    id=run.id,
                    experiment=run.experiment,
                    run_id=run.tags[RUN_TAG],
                    log_id=run.tags.get(LOG_TAG, ""),
                )

    def find_runs(self, experiment: str, run_id: str) -> list[str]:
        return [
            run.id
            for run in self.runs.values()
            if run.is_active and run.experiment == experiment and run.tags.get(RUN_TAG) == run_id
        ]

    def create_run(self, experiment: str, name: str, start_time: int, tags: Mapping[str, str]) -> str:
        self._active_experiment(experiment)
        run = HeldRun(
            id=f"{len(self.runs) + 1:032x}",
            experiment=experiment,
            name=name,
            start_time=start_time,
            tags=dict(tags),
        )
        self.runs[run.id] = run
        return run.id

    def update_run(
        self,
        run: str,
        *,
        name: str | None = None,
        status: RunStatus | None = None,
        end_time: int | None = None,
    ) -> None:
        found = self._active_run(run)
        found.name = name or found.name
        found.status = status or found.status
        found.end_time = end_time or found.end_time

    def trash_run(self, run: str) -> None:
        self._run(run).is_active = False

    def log_params(self, run: str, params: Mapping[str, str]) -> None:
        found = self._active_run(run)
        _check_batch("params", params, MAX_PARAMS)
        _check_texts(params, MAX_PARAM)
        changed = {key for key, value in params.items() if found.params.get(key, value) != value}
        if changed:
            raise MlflowRefused(f"Changing param values is not allowed: {sorted(changed)}")
        found.params.update(params)

    def log_tags(self, run: str, tags: Mapping[str, str]) -> None:
        _check_batch("tags", tags, MAX_TAGS)
        _check_texts(tags, MAX_TAG)
        self._active_run(run).tags.update(tags)

    def delete_tag(self, run: str, key: str) -> None:
        self._active_run(run).tags.pop(key, None)

    def log_points(self, run: str, points: Sequence[Point], origin: Origin | None = None) -> None:
        found = self._active_run(run)
        _check_batch("metrics", points, MAX_POINTS)
        for point in points:
            found.points.setdefault(point.identity, point)
        if origin is not None and origin.model is not None:
            self._add_scores(origin.model, origin, points)

    def log_datasets(self, run: str, uses: Sequence[DatasetUse]) -> None:
        found = self._active_run(run)
        for use in uses:
            if len(use.digest) > MAX_DIGEST:
                raise MlflowRefused(f"digest exceeds {MAX_DIGEST} characters")
            found.datasets.setdefault((use.name, use.digest), use)

    def create_model(
        self, experiment: str, run: str, name: str, tags: Mapping[str, str], params: Mapping[str, str]
    ) -> str:
        self._active_experiment(experiment)
        model = HeldModel(id=f"m-{next(self._numbers):032x}", run=run, name=name, tags=dict(tags))
        self.models[model.id] = model
        return model.id

    def finish_model(self, model: str) -> None:
        self._model(model).is_ready = True

    def link_model(self, run: str, model: str, step: int) -> None:
        self._active_run(run).outputs.setdefault(model, step)

    def delete_model(self, model: str) -> None:
        self.models.pop(model, None)

    def find_models(self, experiment: str, run: str) -> list[Model]:
        return [
            Model(id=model.id, name=model.name, tags=dict(model.tags), is_ready=model.is_ready)
            for model in self.models.values()
            if model.run == run
        ]

    def upload(self, run: str, file: Path, path: str) -> None:
        if file.name != posixpath.basename(path):
            raise ValueError(f"{file} is not named as in {path}")
        self._active_run(run).files[path] = file.read_bytes()

    def delete_file(self, run: str, path: str) -> None:
        self._active_run(run).files.pop(path, None)

    def held(self, run: str) -> Held:
        found = self._run(run)
        return Held(
            name=found.name,
            status=found.status,
            start_time=found.start_time,
            end_time=found.end_time,
            params=dict(found.params),
            tags=dict(found.tags),
            keys=tuple(sorted({point.key for point in found.points.values()})),
            datasets=frozenset(found.datasets),
            outputs=dict(found.outputs),
        )

    def points(self, run: str, key: str) -> list[Point]:
        return [point for point in self._run(run).points.values() if point.key == key]

    def model_scores(self, model: str) -> list[tuple[Point, str, str]]:
        return list(self._model(model).scores)

    def files(self, run: str) -> dict[str, int]:
        return {path: len(content) for path, content in self._run(run).files.items()}

    def _add_scores(self, model: str, origin: Origin, points: Sequence[Point]) -> None:
        scores = self._model(model).scores
        known = {point.identity for point, _, _ in scores}
        scores += [(point, origin.dataset, origin.digest) for point in points if point.identity not in known]

    def _check_name_is_free(self, name: str) -> None:
        if self.named_experiment(name) is not None:
            raise NameTaken(name)

    def _active_experiment(self, experiment: str) -> Experiment:
        found = self.experiments.get(experiment)
        if found is None or not found.is_active:
            raise MirrorGone(f"no active experiment {experiment}")
        return found

    def _run(self, run: str) -> HeldRun:
        if run not in self.runs:
            raise MirrorGone(f"no run {run}")
        return self.runs[run]

    def _active_run(self, run: str) -> HeldRun:
        found = self._run(run)
        if not found.is_active:
            raise MirrorGone(f"run {run} is deleted")
        return found

    def _model(self, model: str) -> HeldModel:
        if model not in self.models:
            raise MirrorGone(f"no model {model}")
        return self.models[model]


def _check_batch(what: str, entries: Mapping[str, str] | Sequence[Point], limit: int) -> None:
    if len(entries) > limit:
        raise MlflowRefused(f"a call can contain at most {limit} {what}, got {len(entries)}")


def _check_texts(texts: Mapping[str, str], limit: int) -> None:
    for key, value in texts.items():
        if len(key) > MAX_KEY or len(value) > limit:
            raise MlflowRefused(f"{key} exceeds the maximum length")
