"""The command's settings, read from the environment once, when the command starts."""

from __future__ import annotations

from pathlib import Path

import msgspec

TELL_SECONDS = 45.0
"""More than a worker takes to ship the end of a journal, or to give that up."""


class ClientSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the API is, for the commands that speak to it."""

    url: str | None = None
    """By default the address that `up` binds."""
    token: str | None = None
    """Sent as bearer token; made by `runledger token create`."""
    host: str = "127.0.0.1"
    """The address that `up` binds."""
    port: int = 8600
    """The port that `up` binds."""

    @property
    def address(self) -> str:
        return self.url or f"http://{reachable(self.host)}:{self.port}"


class UpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What `runledger up` starts, and where."""

    data: Path = Path(".runledger")
    """The data folder; logs of the processes lie under it too."""
    host: str = "127.0.0.1"
    """Address that the API binds; anything off loopback needs a token."""
    port: int = 8600
    """Port that the API binds."""
    mlflow_url: str | None = None
    """An MLflow server that runs already; by default `up` starts one."""
    mlflow_port: int = 8601
    """Port of the MLflow server that `up` starts, on loopback."""
    metrics_port: int | None = None
    """First of three ports for Prometheus: projections, MLflow sink and worker; the API uses its own."""
    ready_seconds: float = 120.0
    """How long the processes may take until all of them answer."""
    grace_seconds: float = 60.0
    """When all is stopped: time for a training to reach a step boundary and save a checkpoint."""
    terminate_seconds: float = 5.0
    """Then: time between SIGTERM and SIGKILL for the training."""

    @property
    def worker_stop_seconds(self) -> float:
        """What the worker needs at most: it stops its training, and then tells what that has left."""
        return self.grace_seconds + self.terminate_seconds + TELL_SECONDS

    @property
    def address(self) -> str:
        return f"http://{reachable(self.host)}:{self.port}"


def reachable(host: str) -> str:
    """The host under which a server that binds `host` can be spoken to from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)  # noqa: S104
