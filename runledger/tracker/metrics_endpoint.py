"""Numbers for Prometheus from processes that serve nothing else: worker, projections, sink.

Each process names its port in RUNLEDGER_METRICS_PORT; without one it serves none. The API serves its own
under /metrics.
"""

from __future__ import annotations

import msgspec
from prometheus_client import start_http_server

from runledger.tracker.errors import BadSetting


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True):
    metrics_port: int | None = None
    """Of this process; None serves none."""
    metrics_host: str = "127.0.0.1"
    """Address to bind it to."""


def serve_metrics(settings: MetricsSettings) -> None:
    """Serve this process's registry from a thread of its own, until the process ends. Raises `BadSetting`."""
    if settings.metrics_port is None:
        return
    try:
        start_http_server(settings.metrics_port, settings.metrics_host)
    except OSError as problem:
        place = f"{settings.metrics_host}:{settings.metrics_port}"
        raise BadSetting("RUNLEDGER_METRICS_PORT", f"cannot bind {place}: {problem}") from None
