"""The driver for any stock MLflow server, through MLflow's own client.

The only module of the product that imports mlflow: it takes seconds, so nothing but the sink's
process loads this. MLflow's own retries are switched off by `prepare_environment`; the sink decides.
"""

from __future__ import annotations

import functools
import math
import posixpath
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import requests
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelOutput,
    Metric,
    Param,
    RunTag,
    ViewType,
)
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from runledger.projections.mlflow.driver import (
    EXPERIMENT_TAG,
    LOG_TAG,
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
from runledger.projections.mlflow.errors import (
    MirrorGone,
    MlflowError,
    MlflowRefused,
    MlflowUnavailable,
    NameTaken,
)

P = ParamSpec("P")
R = TypeVar("R")

PAGE = 1_000
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "DO_NOT_TRACK": "true",
}
_NOT_OUR_FAULT = {408, 429}


def prepare_environment(environ: MutableMapping[str, str]) -> None:
    """What MLflow's client reads at each call: our retries instead of its own, nothing sent home."""
    for variable, value in ENVIRONMENT.items():
        environ.setdefault(variable, value)


def _translated(call: Callable[P, R]) -> Callable[P, R]:
    """Raises our errors for MLflow's."""

    @functools.wraps(call)
    def translate(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except MlflowException as problem:
            raise _translate(problem) from problem
        except requests.HTTPError as problem:
            raise _translate_status(problem) from problem
        except (requests.RequestException, OSError) as problem:
            raise MlflowUnavailable(str(problem)) from problem

    return translate


def _translate(problem: MlflowException) -> MlflowError:
    code, message = problem.error_code, str(problem.message)
    if code == "RESOURCE_DOES_NOT_EXIST" or "Current state is deleted" in message:
        return MirrorGone(message)
    if code == "RESOURCE_ALREADY_EXISTS":
        return NameTaken(message)
    status = problem.get_http_status_code()
    if status >= 500 or status in _NOT_OUR_FAULT:
        return MlflowUnavailable(message)
    return MlflowRefused(message)


def _translate_status(problem: requests.HTTPError) -> MlflowError:
    status = problem.response.status_code if problem.response is not None else 500
    if status >= 500 or status in _NOT_OUR_FAULT:
        return MlflowUnavailable(str(problem))
    return MlflowRefused(str(problem))


class RemoteMlflow:
    """Implements `MlflowDriver` for the server at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._client = MlflowClient(tracking_uri=self.url, registry_uri=self.url)

    @_translated
    def ping(self) -> None:
        requests.get(f"{self.url}/health", timeout=5).raise_for_status()

    @_translated
    def find_experiment(self, experiment_id: str) -> Experiment | None:
        found = self._client.search_experiments(
            view_type=ViewType.ALL, filter_string=f"tags.`{EXPERIMENT_TAG}` = '{experiment_id}'"
        )
        experiments = sorted(map(_experiment, found), key=lambda experiment: not experiment.is_active)
        return experiments[0] if experiments else None

    @_translated
    def named_experiment(self, name: str) -> Experiment | None:
        found = self._client.get_experiment_by_name(name)
        return None if found is None else _experiment(found)

    @_translated
    def create_experiment(self, name: str, tags: Mapping[str, str]) -> str:
        return str(self._client.create_experiment(name, tags=dict(tags)))

    @_translated
    def rename_experiment(self, experiment: str, name: str) -> None:
        # A server answers a name that is taken with 500, so it is asked first.
        other = self._client.get_experiment_by_name(name)
        if other is not None and other.experiment_id != experiment:
            raise NameTaken(name)
        self._client.rename_experiment(experiment, name)

    @_translated
    def tag_experiment(self, experiment: str, tags: Mapping[str, str]) -> None:
        for key, value in sorted(tags.items()):
            self._client.set_experiment_tag(experiment, key, value)

    @_translated
    def restore_experiment(self, experiment: str) -> None:
        self._client.restore_experiment(experiment)

    def mirrors(self) -> Iterator[Mirror]:
        experiments = [experiment.experiment_id for experiment in self._all_experiments()]
        for start in range(0, len(experiments), 100):
            for run in self._all_runs(experiments[start : start + 100], f"tags.`{RUN_TAG}` LIKE '%'"):
                yield _mirror(run)

    @_translated
    def find_runs(self, experiment: str, run_id: str) -> list[str]:
        found = self._all_runs([experiment], f"tags.`{RUN_TAG}` = '{run_id}'")
        return [run.info.run_id for run in found]

    @_translated
    def create_run(self, experiment: str, name: str, start_time: int, tags: Mapping[str, str]) -> str:
        run = self._client.create_run(experiment, start_time=start_time, run_name=name, tags=dict(tags))
        return str(run.info.run_id)

    @_translated
    def update_run(
        self,
        run: str,
        *,
        name: str | None = None,
        status: RunStatus | None = None,
        end_time: int | None = None,
    ) -> None:
        if name is not None or (status is not None and end_time is None):
            self._client.update_run(run, status=None if end_time is not None else status, name=name)
        if end_time is not None:
            self._client.set_terminated(run, status=status, end_time=end_time)

    @_translated
    def trash_run(self, run: str) -> None:
        self._client.delete_run(run)

    @_translated
    def log_params(self, run: str, params: Mapping[str, str]) -> None:
        self._client.log_batch(run, params=[Param(key, params[key]) for key in sorted(params)])

    @_translated
    def log_tags(self, run: str, tags: Mapping[str, str]) -> None:
        self._client.log_batch(run, tags=[RunTag(key, tags[key]) for key in sorted(tags)])

    @_translated
    def delete_tag(self, run: str, key: str) -> None:
        if key in self._client.get_run(run).data.tags:
            self._client.delete_tag(run, key)

    @_translated
    def log_points(self, run: str, points: Sequence[Point], origin: Origin | None = None) -> None:
        where = {} if origin is None else _origin(origin)
        metrics = [Metric(point.key, point.value, point.time, point.step, **where) for point in points]
        self._client.log_batch(run, metrics=metrics)

    @_translated
    def log_datasets(self, run: str, uses: Sequence[DatasetUse]) -> None:
        self._client.log_inputs(run, datasets=[_dataset_input(use) for use in uses])

    @_translated
    def create_model(
        self, experiment: str, run: str, name: str, tags: Mapping[str, str], params: Mapping[str, str]
    ) -> str:
        model = self._client.create_logged_model(
            experiment,
            name=name,
            source_run_id=run,
            tags={"mlflow.model.isExternal": "true", **tags},
            params=dict(params),
            model_type="checkpoint",
        )
        return str(model.model_id)

    @_translated
    def finish_model(self, model: str) -> None:
        self._client.finalize_logged_model(model, "READY")

    @_translated
    def link_model(self, run: str, model: str, step: int) -> None:
        """A second link is refused by MLflow's database, so those that are there are left alone."""
        if model not in _outputs(self._client.get_run(run)):
            self._client.log_outputs(run, [LoggedModelOutput(model, step)])

    @_translated
    def delete_model(self, model: str) -> None:
        self._client.delete_logged_model(model)

    @_translated
    def find_models(self, experiment: str, run: str) -> list[Model]:
        found: list[Model] = []
        token: str | None = None
        while True:
            page = self._client.search_logged_models(
                [experiment], filter_string=f"source_run_id = '{run}'", page_token=token
            )
            found += [_model(model) for model in page]
            token = page.token
            if not token:
                return found

    @_translated
    def upload(self, run: str, file: Path, path: str) -> None:
        self._client.log_artifact(run, str(file), posixpath.dirname(path) or None)

    @_translated
    def delete_file(self, run: str, path: str) -> None:
        uri = self._client.get_run(run).info.artifact_uri
        get_artifact_repository(uri, tracking_uri=self.url).delete_artifacts(path)

    @_translated
    def held(self, run: str) -> Held:
        found = self._client.get_run(run)
        return Held(
            name=found.info.run_name,
            status=found.info.status,
            start_time=found.info.start_time,
            end_time=found.info.end_time,
            params=dict(found.data.params),
            tags=dict(found.data.tags),
            keys=tuple(sorted(found.data.metrics)),
            datasets=frozenset(
                (entry.dataset.name, entry.dataset.digest) for entry in found.inputs.dataset_inputs
            ),
            outputs=_outputs(found),
        )

    @_translated
    def points(self, run: str, key: str) -> list[Point]:
        return [_point(metric) for metric in self._client.get_metric_history(run, key)]

    @_translated
    def model_scores(self, model: str) -> list[tuple[Point, str, str]]:
        metrics = self._client.get_logged_model(model).metrics or []
        return [
            (_point(metric), metric.dataset_name or "", metric.dataset_digest or "") for metric in metrics
        ]

    @_translated
    def files(self, run: str) -> dict[str, int]:
        return dict(self._files_below(run, None))

    def _files_below(self, run: str, folder: str | None) -> Iterator[tuple[str, int]]:
        for entry in self._client.list_artifacts(run, folder):
            if entry.is_dir:
                yield from self._files_below(run, entry.path)
            else:
                yield entry.path, int(entry.file_size or 0)

    @_translated
    def _all_experiments(self) -> list[Any]:
        return _all_pages(self._client.search_experiments, max_results=PAGE)

    @_translated
    def _all_runs(self, experiments: list[str], condition: str) -> list[Any]:
        return _all_pages(
            self._client.search_runs,
            experiment_ids=experiments,
            filter_string=condition,
            run_view_type=ViewType.ACTIVE_ONLY,
            max_results=PAGE,
        )


def _all_pages(search: Callable[..., Any], **options: Any) -> list[Any]:
    found: list[Any] = []
    token: str | None = None
    while True:
        page = search(page_token=token, **options)
        found += page
        token = page.token
        if not token:
            return found


def _experiment(found: Any) -> Experiment:
    return Experiment(
        id=found.experiment_id,
        name=found.name,
        tags=dict(found.tags),
        is_active=found.lifecycle_stage == "active",
    )


def _mirror(run: Any) -> Mirror:
    tags = run.data.tags
    return Mirror(
        id=run.info.run_id,
        experiment=run.info.experiment_id,
        run_id=tags[RUN_TAG],
        log_id=tags.get(LOG_TAG, ""),
    )


def _model(found: Any) -> Model:
    return Model(
        id=found.model_id,
        name=found.name,
        tags=dict(found.tags),
        is_ready=str(found.status) in ("READY", "LoggedModelStatus.READY"),
    )


def _outputs(run: Any) -> dict[str, int]:
    return (
        {} if run.outputs is None else {output.model_id: output.step for output in run.outputs.model_outputs}
    )


def _origin(origin: Origin) -> dict[str, str | None]:
    return {"model_id": origin.model, "dataset_name": origin.dataset, "dataset_digest": origin.digest}


def _dataset_input(use: DatasetUse) -> DatasetInput:
    dataset = Dataset(use.name, use.digest, "http", use.source, profile=use.profile)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", use.context)])


def _point(metric: Any) -> Point:
    value = float(metric.value)
    return Point(metric.key, metric.step, metric.timestamp, math.nan if math.isnan(value) else value)
