"""Settings of the sink's process."""

from __future__ import annotations

import msgspec


class MlflowSettings(msgspec.Struct, frozen=True, kw_only=True):
    mlflow_url: str
    """Any MLflow tracking server."""
    public_url: str = "http://127.0.0.1:8600"
    """Where people reach us: links in MLflow lead there."""
    mlflow_artifact_bytes: int = 256 * 1024 * 1024
    """Larger checkpoints and artifacts are not copied to MLflow, only referred to."""

    def __post_init__(self) -> None:
        if not self.mlflow_url.startswith(("http://", "https://")):
            raise ValueError("mlflow_url must be the http address of an MLflow server")
