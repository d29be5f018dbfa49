"""Our run and MLflow's, side by side; MLflow is asked through its own client."""

from __future__ import annotations

import math
import sys
from collections import Counter
from typing import Any

import mlflow

from runledger.api.answers import Number, Run
from runledger.api.client import Client
from runledger.projections.mlflow.driver import RUN_TAG
from tests.system.installation import until

Point = tuple[int, int, float]
STATUS = {"completed": "FINISHED", "failed": "FAILED", "cancelled": "KILLED"}


def mlflow_client(url: str) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(tracking_uri=url, registry_uri=url)


def find_runs(theirs: mlflow.MlflowClient, run_id: str) -> list[Any]:
    experiments = [one.experiment_id for one in theirs.search_experiments()]
    return list(theirs.search_runs(experiments, f"tags.`{RUN_TAG}` = '{run_id}'"))


def wait_for_mirror(theirs: mlflow.MlflowClient, run: Run) -> Any:
    """The MLflow run once it has ended as ours has; there must be no other."""

    def ended() -> Any:
        found = find_runs(theirs, run.run_id)
        assert len(found) <= 1, found
        return found[0] if found and found[0].info.status == STATUS[run.status] else None

    return until(ended, 90, f"run {run.run_id} in MLflow", every=0.5)


def assert_mirrored(ours: Client, theirs: mlflow.MlflowClient, run: Run) -> None:
    """One run, with the same params, points, scores, status, checkpoints and predictions."""
    mirror = wait_for_mirror(theirs, run)
    assert mirror.data.params == {key: str(value) for key, value in run.params.items()}
    for summary in ours.metrics(run.run_id):
        assert points_of(ours, run, summary.key) == mirrored_points(theirs, mirror, summary.key)
    assert_scores(ours, theirs, run, mirror)
    assert_artifacts(ours, theirs, run, mirror)


def points_of(ours: Client, run: Run, key: str) -> Counter[Point]:
    """Step, time in ms and value of every effective point."""
    series = ours.series(run.run_id, key, max_points=100_000)
    assert len(series.step) == series.points
    times = [moment // 1000 for moment in series.time]
    return Counter(zip(series.step, times, map(finite, series.value), strict=True))


def mirrored_points(theirs: mlflow.MlflowClient, mirror: Any, key: str) -> Counter[Point]:
    history = theirs.get_metric_history(mirror.info.run_id, key)
    return Counter((point.step, point.timestamp, point.value) for point in history)


def assert_scores(ours: Client, theirs: mlflow.MlflowClient, run: Run, mirror: Any) -> None:
    evaluations = [one for one in ours.evaluations(run.run_id) if one.status == "completed"]
    assert evaluations
    for evaluation in evaluations:
        for score in evaluation.scores:
            key = next(
                key for key in mirror.data.metrics if key.endswith(f"/{score.name}") and "eval/" not in key
            )
            history = theirs.get_metric_history(mirror.info.run_id, key)
            assert (evaluation.step, float(score.value)) in {(point.step, point.value) for point in history}


def assert_artifacts(ours: Client, theirs: mlflow.MlflowClient, run: Run, mirror: Any) -> None:
    paths = set(all_paths(theirs, mirror.info.run_id))
    for checkpoint in ours.checkpoints(run.run_id):
        if checkpoint.deleted_at is None:
            assert any(checkpoint.digest[:8] in path for path in paths), (checkpoint, paths)
    for evaluation in ours.evaluations(run.run_id):
        assert any(path.endswith(f"{evaluation.evaluation_id[:8]}.json") for path in paths), paths


def all_paths(theirs: mlflow.MlflowClient, mirror: str, folder: str | None = None) -> list[str]:
    found: list[str] = []
    for entry in theirs.list_artifacts(mirror, folder):
        found += all_paths(theirs, mirror, entry.path) if entry.is_dir else [entry.path]
    return found


def finite(value: Number) -> float:
    """As MLflow keeps it."""
    number = float(value)
    return math.copysign(sys.float_info.max, number) if math.isinf(number) else number
