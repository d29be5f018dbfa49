"""Where an answer's neighbours are found, as paths of this API."""

from __future__ import annotations

API = "/api/v1"


def of_run(run_id: str) -> dict[str, str]:
    at = f"{API}/runs/{run_id}"
    parts = ("events", "metrics", "logs", "checkpoints", "artifacts", "evaluations")
    return {"self": at, **{part: f"{at}/{part}" for part in parts}}


def of_blob(digest: str) -> dict[str, str]:
    return {"blob": f"{API}/blobs/{digest}"}


def of_evaluation(evaluation_id: str) -> dict[str, str]:
    at = f"{API}/evaluations/{evaluation_id}"
    return {"self": at, "predictions": f"{at}/predictions"}
