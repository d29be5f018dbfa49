"""What MLflow says of a run of ours, asked over its REST API: `import mlflow` takes four seconds."""

from __future__ import annotations

import time
from typing import Any

import httpx
import msgspec

from runledger.api.cli.exits import NotReachable
from runledger.projections.mlflow.driver import RUN_TAG

POLL_SECONDS = 0.5


class Mirrored(msgspec.Struct, frozen=True, kw_only=True):
    """Our run, as MLflow has it."""

    run_id: str
    experiment_id: str
    status: str

    def link(self, address: str) -> str:
        return f"{address}/#/experiments/{self.experiment_id}/runs/{self.run_id}"


def wait_for_run(address: str, run_id: str, timeout_seconds: float) -> Mirrored:
    """The one finished MLflow run of ours. Raises NotReachable if it does not get there in time."""
    deadline = time.monotonic() + timeout_seconds
    found: list[Mirrored] = []
    while time.monotonic() < deadline:
        found = find_runs(address, run_id)
        if len(found) == 1 and found[0].status == "FINISHED":
            return found[0]
        time.sleep(POLL_SECONDS)
    states = ", ".join(one.status for one in found) or "nothing"
    raise NotReachable(f"after {timeout_seconds:.0f} s MLflow at {address} has {states} for run {run_id}")


def find_runs(address: str, run_id: str) -> list[Mirrored]:
    """The active MLflow runs that bear our run's tag."""
    api = f"{address.rstrip('/')}/api/2.0/mlflow"
    try:
        experiments = _ask(f"{api}/experiments/search", {"max_results": 1000}).get("experiments", [])
        query = {
            "experiment_ids": [one["experiment_id"] for one in experiments],
            "filter": f"tags.`{RUN_TAG}` = '{run_id}'",
        }
        runs = _ask(f"{api}/runs/search", query).get("runs", [])
    except httpx.HTTPError:
        return []
    return [_mirrored(run["info"]) for run in runs]


def _ask(url: str, query: dict[str, Any]) -> dict[str, Any]:
    answer = httpx.post(url, json=query, timeout=10).raise_for_status()
    document: dict[str, Any] = answer.json()
    return document


def _mirrored(info: dict[str, Any]) -> Mirrored:
    return Mirrored(run_id=info["run_id"], experiment_id=info["experiment_id"], status=info["status"])
