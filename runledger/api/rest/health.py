"""Is it there, can it serve, how does the whole fare; and the numbers of this process for Prometheus."""

from __future__ import annotations

from litestar import Response, Router, get
from prometheus_client import REGISTRY
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from runledger.api import prometheus
from runledger.api.answers import Alive, Health, Ready
from runledger.api.http.encoding import JsonResponse
from runledger.api.http.given import GivenBackend
from runledger.api.reading.health import health_of

NO_STORE = {"Cache-Control": "no-store"}


@get("/live", sync_to_thread=False, summary="Does the process answer?")
def show_alive() -> Response[Alive]:
    """Asks nothing of the databases."""
    return JsonResponse(Alive(), headers=NO_STORE)


@get("/ready", sync_to_thread=True, summary="Can it serve?")
def show_ready(backend: GivenBackend) -> Response[Ready]:
    """Both databases answer; 503 while one of them does not."""
    position = backend.log.head()
    backend.reached()
    return JsonResponse(Ready(position=position), headers=NO_STORE)


@get("/", sync_to_thread=True, summary="How does the whole fare?")
def show_health(backend: GivenBackend) -> Response[Health]:
    """Projections, MLflow, workers, leases and the queue. 200 also when it is degraded: this is a report."""
    return JsonResponse(health_of(backend), headers=NO_STORE)


@get("/metrics", sync_to_thread=True, include_in_schema=False, media_type=CONTENT_TYPE_LATEST)
def show_metrics(backend: GivenBackend) -> Response[bytes]:
    """What Prometheus scrapes: of this process, and how far everything is."""
    prometheus.note(health_of(backend))
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST, headers=NO_STORE)


router = Router("/health", tags=["health"], route_handlers=[show_alive, show_ready, show_health])
