"""The processes of a whole Runledger on one machine: their commands, environment and signs of readiness."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from runledger.api.cli.processes import STOP_SECONDS, Program
from runledger.api.cli.settings import UpSettings

PROBE_TIMEOUT_SECONDS = 1.0
METRICS_PORTS = ("projections", "projections.mlflow", "trainer")


def programs(settings: UpSettings, env: Mapping[str, str], *, with_mlflow: bool) -> list[Program]:
    """In the order in which they start; they are stopped in the opposite one, so the worker comes last."""
    answers = settings.address + "/api/v1/health/live"
    found = [
        mlflow_server(settings, env) if with_mlflow and settings.mlflow_url is None else None,
        _ours("projections", env, settings),
        _ours("projections.mlflow", env, settings) if with_mlflow else None,
        _ours("api", env, settings, is_ready=lambda: _is_answering(answers)),
        _ours("trainer", env, settings, stop_seconds=settings.worker_stop_seconds),
    ]
    return [program for program in found if program is not None]


def mlflow_address(settings: UpSettings) -> str:
    return settings.mlflow_url or f"http://127.0.0.1:{settings.mlflow_port}"


def child_environment(
    settings: UpSettings, environ: Mapping[str, str], *, with_mlflow: bool
) -> dict[str, str]:
    env = {
        **environ,
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "RUNLEDGER_DATA": str(settings.data.absolute()),
        "RUNLEDGER_HOST": settings.host,
        "RUNLEDGER_PORT": str(settings.port),
        "RUNLEDGER_PUBLIC_URL": environ.get("RUNLEDGER_PUBLIC_URL", settings.address),
    }
    if with_mlflow:
        env["RUNLEDGER_MLFLOW_URL"] = mlflow_address(settings)
    return env


def _ours(
    module: str,
    env: Mapping[str, str],
    settings: UpSettings,
    *,
    is_ready: Callable[[], bool] | None = None,
    stop_seconds: float = STOP_SECONDS,
) -> Program:
    return Program(
        name=module,
        command=(sys.executable, "-P", "-m", f"runledger.{module}"),
        env={**env, **_arenas(module), **_metrics_port(module, settings)},
        is_ready=is_ready,
        stop_seconds=stop_seconds,
    )


def _arenas(module: str) -> dict[str, str]:
    """glibc keeps a heap for each of many threads; a worker hands its environment on to trainings."""
    return {} if module == "trainer" else {"MALLOC_ARENA_MAX": "2"}


def _metrics_port(module: str, settings: UpSettings) -> dict[str, str]:
    """One port cannot serve three processes: each gets its own."""
    if settings.metrics_port is None or module not in METRICS_PORTS:
        return {}
    return {"RUNLEDGER_METRICS_PORT": str(settings.metrics_port + METRICS_PORTS.index(module))}


def mlflow_server(settings: UpSettings, env: Mapping[str, str]) -> Program:
    """A stock server on loopback, with nothing that calls out and no jobs (they take two gigabytes)."""
    folder = settings.data.absolute() / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    address = mlflow_address(settings)
    return Program(
        name="mlflow",
        command=_mlflow_command(folder, settings.mlflow_port),
        env={
            **env,
            "DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        is_ready=lambda: _is_answering(f"{address}/health"),
    )


def _mlflow_command(folder: Path, port: int) -> tuple[str, ...]:
    options = {
        "--backend-store-uri": f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination": str(folder / "artifacts"),
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": "1",
    }
    words = (word for option in options.items() for word in option)
    return (sys.executable, "-P", "-m", "mlflow", "server", *words)


def _is_answering(url: str) -> bool:
    try:
        return httpx.get(url, timeout=PROBE_TIMEOUT_SECONDS).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
