"""Numbers for Prometheus from a process that serves nothing else."""

from __future__ import annotations

import socket

import httpx
import pytest
from prometheus_client import Counter

from runledger.tracker.errors import BadSetting
from runledger.tracker.metrics_endpoint import MetricsSettings, serve_metrics
from runledger.tracker.settings import load

COUNTED = Counter("runledger_test_endpoint", "Counts what this test counts.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_the_registry_is_served_on_the_port_of_the_process() -> None:
    port = free_port()
    COUNTED.inc(3)
    serve_metrics(load(MetricsSettings, {"RUNLEDGER_METRICS_PORT": str(port)}))
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics")
    assert "runledger_test_endpoint_total 3.0" in answer.text


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BadSetting, match=r"RUNLEDGER_METRICS_PORT: cannot bind 127\.0\.0\.1"):
            serve_metrics(MetricsSettings(metrics_port=taken.getsockname()[1]))


def test_without_a_port_nothing_is_served() -> None:
    serve_metrics(load(MetricsSettings, {}))
